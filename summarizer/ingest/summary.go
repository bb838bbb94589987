package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"aval/agent/wire"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// newsAtOnce is how many summaries a device is told of in one go; the rest comes
// with the next ping.
const newsAtOnce = 50

// spread has the devices told of summaries as they are written, until the server
// is closed.
func (s *Server) spread() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case device := <-s.db.NewsFor():
			for _, c := range s.connsOf(device) {
				c.tell()
			}
		}
	}
}

// tell sends the device what it does not know yet of the summaries of its
// sessions. Sent twice is harmless: what counts is the acknowledgement.
func (c *conn) tell() {
	ctx, cancel := context.WithTimeout(c.s.ctx, storeWithin)
	defer cancel()
	var frames []*wire.Summary
	err := c.s.db.View(ctx, func(tx *store.Tx) error {
		news, err := tx.SummaryNews(c.company, c.device, newsAtOnce)
		for _, k := range news {
			w := &wire.Summary{Session: k.Session}
			sum, err := tx.Summary(k)
			if err == nil {
				w, err = forDevice(sum)
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			n, err := tx.CountReads(k.Company, k.Ref())
			if err != nil {
				return err
			}
			w.Reads = &wire.Reads{Times: uint64(n.Times), People: uint64(n.People), Programs: uint64(n.Programs)}
			if !n.Last.IsZero() {
				w.Reads.LastUnixNano = n.Last.UnixNano()
			}
			frames = append(frames, w)
		}
		return err
	})
	if err != nil && c.s.ctx.Err() == nil {
		c.s.o.Log.Error("tell device of summaries", "device", c.device, "err", err)
	}
	for _, w := range frames {
		if c.send(&wire.Frame{Body: &wire.Frame_Summary{Summary: w}}) != nil {
			return // the loop notices
		}
	}
}

// forDevice is a stored summary as the device is given it: what people read of
// it, without the names of those at the company who edited it.
func forDevice(stored store.Summary) (*wire.Summary, error) {
	var s summary.Summary
	if err := json.Unmarshal([]byte(stored.JSON), &s); err != nil {
		return nil, fmt.Errorf("read summary: %w", err)
	}
	w := &wire.Summary{Session: stored.Session, Version: uint64(stored.Version), Name: s.Name, Text: s.Text,
		IssueTypes: s.IssueTypeLabels, Applications: s.ApplicationLabels,
		Language: stored.Lang, Engine: stored.Engine, Edited: stored.Author != "", AtUnixNano: stored.CreatedAt.UnixNano()}
	for _, f := range s.FollowUps {
		w.FollowUps = append(w.FollowUps, f.Text)
	}
	for _, st := range s.Steps {
		w.Steps = append(w.Steps, &wire.Step{Application: st.Application, Action: st.Action, Commands: st.Commands})
	}
	for proto.Size(w) > wire.MaxSummary { // the longest lists first, then the text
		w.Cut = true
		last := len(w.Steps) - 1
		switch {
		case last >= 0 && len(w.Steps[last].GetCommands()) > 0:
			cmds := w.Steps[last].GetCommands()
			w.Steps[last].Commands = cmds[:len(cmds)/2]
		case last >= 0:
			w.Steps = w.Steps[:last]
		case len(w.GetFollowUps()) > 0:
			w.FollowUps = w.FollowUps[:len(w.GetFollowUps())-1]
		case len(w.GetText()) > 0:
			r := []rune(w.GetText())
			w.Text = string(r[:len(r)/2])
		default:
			w.Name, w.IssueTypes, w.Applications = "", nil, nil
		}
	}
	return w, nil
}

// onSummaryAck notes what the device knows now.
func (c *conn) onSummaryAck(a *wire.SummaryAck) error {
	_, err := c.inTx(func(tx *store.Tx) error {
		return tx.SummaryTold(store.Key{Company: c.company, Device: c.device, Session: a.GetSession()}, a.GetVersion(), a.Reads)
	})
	if err != nil {
		c.s.o.Log.Error("note summary", "device", c.device, "err", err) // it is told again
	}
	return nil
}
