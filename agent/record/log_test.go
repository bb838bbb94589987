package record_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/record"
)

// tree is a log kept in memory.
type tree struct {
	leaves, nodes []record.Hash
	roots         []record.Hash // by size
}

func (l *tree) ReadHashes(indexes []int64) ([]record.Hash, error) {
	out := make([]record.Hash, len(indexes))
	for i, n := range indexes {
		if n >= int64(len(l.nodes)) {
			return nil, errors.New("no such node")
		}
		out[i] = l.nodes[n]
	}
	return out, nil
}

func (l *tree) add(t testing.TB, leaf record.Hash) {
	t.Helper()
	x, err := record.Extend(int64(len(l.leaves)), leaf, l)
	if err != nil || x.First != int64(len(l.nodes)) {
		t.Fatal(x, err)
	}
	l.leaves, l.nodes, l.roots = append(l.leaves, leaf), append(l.nodes, x.Nodes...), append(l.roots, x.Root)
}

func newTree(t testing.TB, n int) *tree {
	l := &tree{}
	root, err := record.Root(0, l)
	if err != nil {
		t.Fatal(err)
	}
	l.roots = append(l.roots, root)
	for i := range n {
		l.add(t, record.Leaf([record.SaltSize]byte{byte(i)}, fmt.Append(nil, i)))
	}
	return l
}

func TestProofsHoldAndNothingElseDoes(t *testing.T) {
	const n = 70
	l := newTree(t, n)
	for size := int64(1); size <= n; size++ {
		root, err := record.Root(size, l)
		if err != nil || root != l.roots[size] {
			t.Fatalf("root of %d: %v", size, err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(1, n).Draw(rt, "size")
		i := rapid.Int64Range(0, size-1).Draw(rt, "record")
		p, err := record.ProveInclusion(size, i, l)
		if err != nil {
			rt.Fatal(err)
		}
		if err := record.CheckInclusion(p, size, l.roots[size], i, l.leaves[i]); err != nil {
			rt.Fatal(err)
		}
		if record.CheckInclusion(p, size, l.roots[size], i, l.leaves[(i+1)%n]) == nil {
			rt.Fatal("another record passes for it")
		}
		if record.CheckInclusion(p, size, l.roots[size-1], i, l.leaves[i]) == nil {
			rt.Fatal("it passes in another log")
		}
		old := rapid.Int64Range(0, size).Draw(rt, "old")
		c, err := record.ProveConsistency(size, old, l)
		if err != nil {
			rt.Fatal(err)
		}
		if err := record.CheckConsistency(c, size, l.roots[size], old, l.roots[old]); err != nil {
			rt.Fatal(err)
		}
		other := l.roots[(old+1)%n]
		if record.CheckConsistency(c, size, l.roots[size], old, other) == nil {
			rt.Fatal("another beginning passes")
		}
	})
	// A log whose tenth record was rewritten is not consistent with the old one.
	forged := &tree{roots: []record.Hash{l.roots[0]}}
	for i, leaf := range l.leaves {
		if i == 10 {
			leaf[0] ^= 1
		}
		forged.add(t, leaf)
	}
	c, err := record.ProveConsistency(n, 30, forged)
	if err != nil {
		t.Fatal(err)
	}
	if record.CheckConsistency(c, n, forged.roots[n], 30, l.roots[30]) == nil {
		t.Fatal("a rewritten log passes")
	}
	for _, bad := range [][2]int64{{5, 5}, {5, -1}, {0, 0}} {
		if _, err := record.ProveInclusion(bad[0], bad[1], l); err == nil {
			t.Fatal(bad)
		}
		if record.CheckInclusion(nil, bad[0], record.Hash{}, bad[1], record.Hash{}) == nil {
			t.Fatal(bad)
		}
	}
	if _, err := record.ProveConsistency(3, 4, l); err == nil {
		t.Fatal("a longer beginning")
	}
}

func TestLeavesNeedTheirSalt(t *testing.T) {
	raw := []byte("a record")
	a, b := record.NewSalt(), record.NewSalt()
	if a == b || record.Leaf(a, raw) == record.Leaf(b, raw) {
		t.Fatal("salts do not do their work")
	}
}

func TestCheckpoint(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(nil)
	l := newTree(t, 5)
	at := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	raw, err := record.Sign(key, record.TypeCheckpoint, record.NewCheckpoint("co", "dev", at, 5, l.roots[5]))
	if err != nil {
		t.Fatal(err)
	}
	c, root, err := record.OpenCheckpoint(raw, record.OneKey(pub))
	if err != nil || root != l.roots[5] || c.Size != 5 || c.Company != "co" || !c.At.Equal(at) {
		t.Fatal(c, root, err)
	}
	good := c
	for what, change := range map[string]func(*record.Checkpoint){
		"version":    func(c *record.Checkpoint) { c.V = 2 },
		"size":       func(c *record.Checkpoint) { c.Size = -1 },
		"no device":  func(c *record.Checkpoint) { c.Device = "" },
		"short root": func(c *record.Checkpoint) { c.Root = c.Root[:62] },
		"long root":  func(c *record.Checkpoint) { c.Root += "00" },
		"no hex":     func(c *record.Checkpoint) { c.Root = strings.Repeat("z", 64) },
	} {
		c := good
		change(&c)
		raw, err := record.Sign(key, record.TypeCheckpoint, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := record.OpenCheckpoint(raw, record.OneKey(pub)); !errors.Is(err, record.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
