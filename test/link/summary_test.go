package link_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"aval/agent/consent"
	"aval/agent/record"
	astore "aval/agent/store"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary"
	"aval/summarizer/summary/runner"
)

// summaryOf is what the computer keeps of a session's summary; nil: nothing.
func (c *computer) summaryOf(st astore.Stream) *wire.Summary {
	c.t.Helper()
	raw, err := c.store.Summary(st)
	if err != nil {
		c.t.Fatal(err)
	}
	if raw == nil {
		return nil
	}
	w := &wire.Summary{}
	if err := proto.Unmarshal(raw, w); err != nil {
		c.t.Fatal(err)
	}
	return w
}

// writes puts a version of a session's summary into the company's store.
func (s *server) writes(t *testing.T, k store.Key, author string, sum summary.Summary) {
	t.Helper()
	raw, err := json.Marshal(sum)
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Tx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertSummary(store.Summary{Key: k, JSON: string(raw), Engine: "rules", Lang: "en", Author: author, CreatedAt: time.Now()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) news(t *testing.T, device string) (n int) {
	t.Helper()
	err := s.db.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.SummaryNews(s.co.ID(), device, 1000)
		n = len(list)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSummaryComesBack: the device is told of its sessions' summaries as they are
// written, edited and deleted, also of those from while it was away; it keeps
// them sealed, and nothing once the session is erased. Another device hears
// nothing. (Without summaryNews in InsertSummary the edit never comes: seen; with
// PutSummary storing raw, the canary is in the file: seen.)
func TestSummaryComesBack(t *testing.T) {
	s := startServer(t, nil)
	c, other := enrol(t, s.dir, nil), enrol(t, s.dir, nil)
	_, stop := c.connect(c.config(""))
	other.connect(other.config(""))
	st, _ := c.grant("x/1")
	foreign, _ := other.grant("x/1") // the same name on another device
	for _, x := range []struct {
		c  *computer
		st astore.Stream
	}{{c, st}, {other, foreign}} {
		x.c.append(x.st, x.c.titles("x/1", 0, 3)...)
		until(t, "events", func() bool { return x.c.acked(x.st) })
	}
	if c.summaryOf(st) != nil {
		t.Fatal("a summary before there is one")
	}

	s.writes(t, c.key("x/1"), "", summary.Summary{Name: "canary name", Text: "Excel was used.", IssueTypeLabels: []string{"printing"},
		Steps:     []summary.Step{{Application: "Excel", Action: "opened", Commands: []string{"calc"}}},
		FollowUps: []summary.Sentence{{Text: "Call back."}}})
	until(t, "the first version", func() bool { return c.summaryOf(st).GetVersion() == 1 })
	w := c.summaryOf(st)
	if w.GetName() != "canary name" || w.GetText() != "Excel was used." || len(w.GetSteps()) != 1 || w.GetSteps()[0].GetCommands()[0] != "calc" ||
		w.GetFollowUps()[0] != "Call back." || w.GetEdited() || w.GetCut() {
		t.Errorf("the first version: %v", w)
	}

	stop()
	s.writes(t, c.key("x/1"), "Somebody at the company", summary.Summary{Name: "canary edited"})
	_, stop = c.connect(c.config(""))
	until(t, "the edit of while it was away", func() bool { return c.summaryOf(st).GetName() == "canary edited" })
	if w := c.summaryOf(st); !w.GetEdited() || strings.Contains(w.String(), "Somebody") {
		t.Errorf("the edit: %v", w)
	}
	until(t, "nothing is news any more", func() bool { return s.news(t, c.enr.Device) == 0 })

	files, err := filepath.Glob(filepath.Join(c.dir, "state", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no state", err)
	}
	for _, f := range files {
		if raw, err := os.ReadFile(f); err == nil && bytes.Contains(raw, []byte("canary")) {
			t.Errorf("%s holds the summary in the clear", filepath.Base(f))
		}
	}
	if other.summaryOf(foreign) != nil {
		t.Error("another device was told")
	}

	err = s.db.Tx(t.Context(), func(tx *store.Tx) error { // the company deletes its copy
		_, err := tx.EraseStream(c.key("x/1"), time.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "its end", func() bool { return c.summaryOf(st) == nil })

	// Erased here while the company's next version is on its way: nothing is kept,
	// and it is not told again and again.
	st2, g := c.grant("x/2")
	c.append(st2, c.titles("x/2", 0, 3)...)
	until(t, "events", func() bool { return c.acked(st2) })
	s.writes(t, c.key("x/2"), "", summary.Summary{Name: "canary two"})
	until(t, "the second session's", func() bool { return c.summaryOf(st2) != nil })
	stop()
	if err := c.store.Erase(st2); err != nil {
		t.Fatal(err)
	}
	if _, err := c.store.Summary(st2); !errors.Is(err, astore.ErrErased) {
		t.Errorf("after erasing: %v", err)
	}
	s.writes(t, c.key("x/2"), "", summary.Summary{Name: "canary three"})
	c.connect(c.config(""))
	until(t, "nothing is news", func() bool { return s.news(t, c.enr.Device) == 0 })
	h := record.Head{V: 1, ID: "ERASE2", At: time.Now().UTC(), Company: g.Company, Device: g.Device, Session: g.Session}
	c.record(h, record.TypeErasure, record.Erasure{Head: h, Grant: g.ID, Copies: []consent.Copy{{Where: consent.CopyHere, Fate: consent.FateErased}}})
	until(t, "erased at the company too, and told", func() bool {
		x, _ := streamOf(t, s.db, c.key("x/2"))
		return !x.ErasedAt.IsZero() && s.news(t, c.enr.Device) == 0
	})
}

// TestSummaryEdited: what the company's people do with a summary, the person's
// computer has a moment later: the same words after an edit, after the original
// is restored and after it is written anew, and nothing after it is deleted.
// Who did it stays with the company. (Planted: leave summaryNews out of
// EraseStream; the deleted summary then stays on the computer.)
func TestSummaryEdited(t *testing.T) {
	s := startServer(t, nil)
	c := enrol(t, s.dir, nil)
	c.connect(c.config(""))
	st, _ := c.grant("x/1")
	c.append(st, append(c.titles("x/1", 0, 3), c.ended("x/1"))...)
	until(t, "events", func() bool { return c.acked(st) })
	r := runner.New(s.db, runner.Options{Log: slog.New(slog.DiscardHandler)})
	write := func() {
		t.Helper()
		for worked := true; worked; {
			var err error
			if worked, err = r.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	editor := s.co.As(company.Actor{Kind: company.KindUser, ID: "u1", Name: "Edna Prado", Role: company.Editor})
	k := c.key("x/1")
	same := func(version uint64, edited bool) {
		t.Helper()
		until(t, fmt.Sprint("version ", version), func() bool { return c.summaryOf(st).GetVersion() == version })
		var sum summary.Summary
		if err := s.db.View(t.Context(), func(tx *store.Tx) error {
			stored, err := tx.Summary(k)
			if err != nil {
				return err
			}
			return json.Unmarshal([]byte(stored.JSON), &sum)
		}); err != nil {
			t.Fatal(err)
		}
		w := c.summaryOf(st)
		if w.GetName() != sum.Name || w.GetText() != sum.Text || len(w.GetSteps()) != len(sum.Steps) || w.GetEdited() != edited || strings.Contains(w.String(), "Edna") {
			t.Errorf("version %d: the computer has %v, the company %+v", version, w, sum)
		}
	}
	write()
	same(1, false)
	if _, err := editor.EditSummary(t.Context(), k, 1, func(e summary.Edit) summary.Edit {
		e.Name, e.Sentences = "Corrected", append(e.Sentences, "The cable was replaced.")
		return e
	}); err != nil {
		t.Fatal(err)
	}
	same(2, true)
	if _, err := editor.RestoreSummary(t.Context(), k, 2, 1); err != nil {
		t.Fatal(err)
	}
	same(3, true)
	if err := editor.RegenerateSummary(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	write()
	same(4, false)
	if err := editor.DeleteSession(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	until(t, "its end", func() bool { return c.summaryOf(st) == nil })
	if c.info(st).Acked == 0 {
		t.Error("the person's own record of what was sent is gone with the company's copy")
	}
}

// TestSummaryReads: the person's computer knows how often the company has read of
// a session, by how many people and programs, and when last, and no names; also
// after the company has deleted it. A computer that takes no such number is told
// of a summary once. (Planted: leave the UPDATE out of AddRead, or $5 out of
// SummaryTold.)
func TestSummaryReads(t *testing.T) {
	s := startServer(t, nil)
	c := enrol(t, s.dir, nil)
	c.connect(c.config(""))
	st, _ := c.grant("x/1")
	c.append(st, append(c.titles("x/1", 0, 3), c.ended("x/1"))...)
	until(t, "events", func() bool { return c.acked(st) })
	k := c.key("x/1")
	s.writes(t, k, "", summary.Summary{Name: "Printer"})
	until(t, "the summary", func() bool { return c.summaryOf(st) != nil })
	if r := c.summaryOf(st).GetReads(); r == nil || r.GetTimes() != 0 || r.GetLastUnixNano() != 0 {
		t.Errorf("before anybody has read: %v", r)
	}
	as := func(kind company.ActorKind, id string) *company.Service {
		return s.co.As(company.Actor{Kind: kind, ID: id, Name: "Edna Prado", Role: company.Administrator})
	}
	for i, x := range []struct {
		who                     *company.Service
		times, people, programs uint64
	}{
		{as(company.KindUser, "u1"), 1, 1, 0},
		{as(company.KindUser, "u1"), 1, 1, 0}, // within the hour
		{as(company.KindUser, "u2"), 2, 2, 0},
		{as(company.KindToken, "t1"), 3, 2, 1},
	} {
		if err := x.who.ReadSession(t.Context(), k.Ref()); err != nil {
			t.Fatal(err)
		}
		until(t, fmt.Sprint("reading ", i), func() bool {
			r := c.summaryOf(st).GetReads()
			return r.GetTimes() == x.times && r.GetPeople() == x.people && r.GetPrograms() == x.programs && time.Since(time.Unix(0, r.GetLastUnixNano())) < time.Hour
		})
	}
	if w := c.summaryOf(st); w.GetName() != "Printer" || strings.Contains(w.String(), "Edna") || strings.Contains(w.String(), "u1") {
		t.Errorf("%v", w)
	}
	until(t, "nothing is news", func() bool { return s.news(t, c.enr.Device) == 0 })
	// Read once more while the computer acknowledges what it was told before.
	err := s.db.Tx(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.AddRead(k.Company, k.Ref(), "user:u3", time.Now()); err != nil {
			return err
		}
		before := uint64(3)
		if err := tx.SummaryTold(k, 1, &before); err != nil {
			return err
		}
		list, err := tx.SummaryNews(k.Company, c.enr.Device, 10)
		if err != nil || len(list) != 1 {
			t.Errorf("what came meanwhile is taken for told: %v %v", list, err)
		}
		if err := tx.SummaryTold(k, 1, nil); err != nil {
			return err
		}
		if list, err = tx.SummaryNews(k.Company, c.enr.Device, 10); len(list) != 0 {
			t.Errorf("who takes no numbers is told again: %v", list)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := as(company.KindUser, "u1").DeleteSession(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	until(t, "its end", func() bool { return c.summaryOf(st).GetVersion() == 0 })
	if w := c.summaryOf(st); w.GetName() != "" || w.GetReads().GetTimes() != 4 {
		t.Errorf("after it was deleted: %v", w)
	}
}

// TestSummaryTooLong: what does not fit is cut at its end and says so.
func TestSummaryTooLong(t *testing.T) {
	s := startServer(t, nil)
	c := enrol(t, s.dir, nil)
	c.connect(c.config(""))
	st, _ := c.grant("x/1")
	c.append(st, c.titles("x/1", 0, 1)...)
	until(t, "events", func() bool { return c.acked(st) })
	long := summary.Summary{Name: "n", Text: strings.Repeat("ã", wire.MaxSummary)}
	for range 500 {
		long.Steps = append(long.Steps, summary.Step{Application: "a", Commands: []string{strings.Repeat("c", 900), "d"}})
	}
	s.writes(t, c.key("x/1"), "", long)
	until(t, "it", func() bool { return c.summaryOf(st) != nil })
	if w := c.summaryOf(st); !w.GetCut() || w.GetName() != "n" || proto.Size(w) > wire.MaxSummary || w.GetText() == "" {
		t.Errorf("%d bytes, cut %v", proto.Size(w), w.GetCut())
	}
}
