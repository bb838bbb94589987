package ingest

import (
	"hash/maphash"
	"slices"

	"aval/agent/wire"
	"aval/summarizer/store"
)

// maxStart is the longest line and file name that a device may say, in bytes.
const maxStart = 200

// reaches tells whether the device may say whether somebody at it could be asked:
// the company's own computers alone.
func (c *conn) reaches() bool { return c.code == nil && !c.account }

// reachOf reads what a device says; false: it is no word of the list.
func reachOf(r *wire.Reach) (store.Reach, bool) {
	out := store.Reach{State: r.GetState(), Window: r.GetWindow(), Dialog: r.GetDialog(),
		StartFile: printable(r.GetStartFile(), maxStart), StartLine: printable(r.GetStartLine(), maxStart)}
	if out.State != wire.ReachNoHelper || out.StartLine == "" {
		out.StartFile, out.StartLine = "", ""
	}
	return out, slices.Contains(wire.Reaches(), out.State)
}

// seed keeps what devices say apart: of that a connection keeps a hash.
var seed = maphash.MakeSeed()

// onReach notes what a device says. It is for people to read: nothing is decided
// by it. What is said twice is written once; a word that this server does not know
// is a newer agent's.
func (c *conn) onReach(r *wire.Reach) error {
	said, ok := reachOf(r)
	if !c.reaches() {
		c.refuse(CodeProtocol)
		return errGone
	}
	hash := maphash.Comparable(seed, said)
	if !ok || hash == c.reach {
		return nil
	}
	c.reach = hash
	said.At = c.s.o.Now()
	if _, err := c.inTx(func(tx *store.Tx) error { return tx.SetReach(c.company, c.device, said) }); err != nil {
		c.s.o.Log.Error("note reach", "device", c.device, "err", err)
	}
	return nil
}
