package activityview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/control"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

var now = time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC)

// service answers on a real socket, a page of two at a time.
type service struct {
	mu      sync.Mutex
	entries []ipc.ConsentEntry
	live    []ipc.SessionInfo
	sent    []ipc.SentEvent
	asked   []ipc.Withdraw
	version uint64 // of the company's summary
}

func (s *service) Closed(*ipc.Conn) {}

func (s *service) Handle(_ context.Context, _ *ipc.Conn, m ipc.Method, params json.RawMessage) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m {
	case ipc.MethodConsentList:
		var p ipc.ConsentListPage
		if err := ipc.Decode(params, &p); err != nil {
			return nil, err
		}
		from := slices.IndexFunc(s.entries, func(e ipc.ConsentEntry) bool { return e.ID == p.After }) + 1
		r := ipc.ConsentListResult{Entries: s.entries[from:]}
		if len(r.Entries) > 2 {
			r.Entries = r.Entries[:2]
			r.Next = r.Entries[1].ID
		}
		return r, nil
	case ipc.MethodSessionList:
		return s.live, nil
	case ipc.MethodSent:
		var p ipc.Sent
		if err := ipc.Decode(params, &p); err != nil {
			return nil, err
		}
		var mine []ipc.SentEvent
		for _, e := range s.sent {
			if e.Session == p.Session {
				mine = append(mine, e)
			}
		}
		from := slices.IndexFunc(mine, func(e ipc.SentEvent) bool { return fmt.Sprint(e.Seq) == p.After }) + 1
		r := ipc.SentResult{Events: mine[from:]}
		if len(r.Events) > 2 {
			r.Events = r.Events[:2]
			r.Next = fmt.Sprint(r.Events[1].Seq)
		}
		return r, nil
	case ipc.MethodConsentSummary:
		return ipc.Summary{Session: "example/4", Company: "Example Support", Version: s.version, Name: "Printer \u202erepaired", Text: "The printer works.",
			Steps: []ipc.SummaryStep{{Application: "lp", Action: "was run", Commands: []string{"lpadmin"}}}, Engine: "rules", Edited: true}, nil
	case ipc.MethodConsentShow:
		return ipc.ConsentShow{Copies: []consent.Copy{{Where: consent.CopyCompany, Company: "Example Support", Fate: consent.FateConfirmed}}}, nil
	case ipc.MethodConsentReceipt:
		var p ipc.ReceiptOf
		if err := ipc.Decode(params, &p); err != nil {
			return nil, err
		}
		return ipc.Receipt{Page: "page of " + p.ID + " in " + p.Language, JSON: json.RawMessage(`{"of":"` + p.ID + `"}`)}, nil
	case ipc.MethodConsentWithdraw:
		var p ipc.Withdraw
		if err := ipc.Decode(params, &p); err != nil {
			return nil, err
		}
		s.asked = append(s.asked, p)
		i := slices.IndexFunc(s.entries, func(e ipc.ConsentEntry) bool { return e.ID == p.ID })
		if i < 0 {
			return nil, &ipc.Error{Code: ipc.CodeNotFound, Message: "there is no grant"}
		}
		e := &s.entries[i]
		r := ipc.WithdrawResult{Outcome: consent.OutcomeWithdrawn}
		switch {
		case e.Basis == consent.BasisEnforcedPolicy:
			r.Outcome = consent.OutcomeObjected
		case p.Delete:
			r.Outcome, r.Copies = consent.OutcomeErased, []consent.Copy{
				{Where: consent.CopyHere, Fate: consent.FateErased}, {Where: consent.CopyCompany, Company: "Example Support", Fate: consent.FateAsked}}
		}
		e.Outcome = r.Outcome
		s.live = nil
		return r, nil
	}
	return nil, &ipc.Error{Code: ipc.CodeRefused, Message: "not here"}
}

func granted(id string, basis consent.Basis, at time.Time) ipc.ConsentEntry {
	return ipc.ConsentEntry{ID: "R" + id, Session: "example/" + id, Tool: "example", Supporter: "Supporter " + id, Company: "Example Support",
		Verdict: consent.Allow, Basis: basis, Reason: consent.ReasonAllowedBySetting, Outcome: consent.OutcomeAllowed, At: at}
}

func full() *service {
	s := &service{
		entries: []ipc.ConsentEntry{granted("4", consent.BasisStandingSetting, now), granted("3", consent.BasisEnforcedPolicy, now),
			{ID: "R2", Session: "example/2", Tool: "example", Supporter: "Supporter 2", Company: "Example Support", Verdict: consent.Deny,
				Reason: consent.ReasonDeniedBySetting, Outcome: consent.OutcomeDenied, At: now.Add(-48 * time.Hour)},
			granted("1", consent.BasisStandingSetting, now.Add(-49*time.Hour))},
		live: []ipc.SessionInfo{{Session: "example/4", Recording: true}, {Session: "example/3", Recording: true}},
	}
	for i := range 5 {
		s.sent = append(s.sent, ipc.SentEvent{Session: "example/4", Seq: uint64(i + 1), Kind: event.ChatMessage, At: now,
			Fields: map[string]string{"from": "supporter", "text": fmt.Sprintf("message %d to [e-mail]", i)}, Acked: i < 4})
	}
	s.sent = append(s.sent, ipc.SentEvent{Session: "example/1", Seq: 1, Kind: event.Note, At: now, Fields: map[string]string{"text": "the scanner"}, Acked: true})
	return s
}

// open shows a view of s in a window.
func open(t *testing.T, s *service, size fyne.Size, session string) *View {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(theme.Aval{})
	socket := filepath.Join(t.TempDir(), "s")
	server, err := ipc.Listen(socket, ipc.HelloResult{Build: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Skip(err) // no sockets of this kind on this system yet
	}
	go func() { _ = server.Serve(s) }()
	t.Cleanup(func() { _ = server.Close() })
	v := New(Config{Catalog: assets.For("pt-BR"), Session: session, Now: func() time.Time { return now },
		Dial: func(ctx context.Context) (Service, error) {
			return ipc.Dial(ctx, socket, ipc.Hello{Program: "aval-ui"})
		}})
	// What the background brings runs in wait, on the goroutine of the test: the
	// toolkit's test driver would run it beside it.
	queue := make(chan func(), 100)
	v.do = func(f func()) { queue <- f }
	queues[v] = queue
	w := test.NewTempWindow(t, v.Content())
	w.Resize(size)
	v.Refresh()
	v.wait(t, "the history", func() bool { return !v.busy })
	return v
}

// wait waits for what happens in the background.
func (v *View) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.After(10 * time.Second)
	for !ok() {
		select {
		case f := <-queues[v]:
			f()
		case <-end:
			t.Fatalf("%s did not come; the details say:\n%s", what, v.told())
		}
	}
}

// queues is what waits to be run for each view.
var queues = map[*View]chan func(){}

func (v *View) told() string {
	var b strings.Builder
	for _, l := range v.lines {
		b.WriteString(l.text + " " + l.state + "\n")
	}
	for _, o := range v.foot.Objects {
		if l, ok := o.(*control.Paragraph); ok {
			b.WriteString(l.Text + "\n")
		}
	}
	return b.String()
}

func (v *View) buttons() (list []*control.Button) {
	var walk func([]fyne.CanvasObject)
	walk = func(objects []fyne.CanvasObject) {
		for _, o := range objects {
			switch o := o.(type) {
			case *control.Button:
				list = append(list, o)
			case *fyne.Container:
				walk(o.Objects)
			}
		}
	}
	walk(v.foot.Objects)
	return list
}

func (v *View) press(t *testing.T, label string) {
	t.Helper()
	for _, b := range v.buttons() {
		if b.Text == label {
			b.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
			return
		}
	}
	t.Fatalf("there is no button %q", label)
}

func (v *View) listed() (list []string) {
	for _, r := range v.rows {
		if r.session == nil {
			list = append(list, r.day)
		} else {
			list = append(list, strings.TrimSpace(r.session.Who+" "+r.found))
		}
	}
	return list
}

func TestHistoryAndItems(t *testing.T) {
	v := open(t, full(), fyne.NewSize(960, 540), "example/4")
	want := []string{"Hoje, 22/11/2026", "Supporter 4", "Supporter 3", "20/11/2026", "Supporter 2", "Supporter 1"}
	if got := v.listed(); !slices.Equal(got, want) {
		t.Errorf("listed %q", got)
	}
	v.wait(t, "the items", func() bool { return strings.Contains(v.told(), "message 4 to [e-mail]") })
	if said := v.told(); strings.Count(said, "espera para ser enviado") != 1 || !strings.Contains(said, "5 itens") {
		t.Errorf("the details say\n%s", said)
	}
	// A day is no choice: it leads to its first session.
	v.list.Select(3)
	if b := v.buttons(); v.chosen != "R2" || len(b) != 1 || b[0].Text != "Recibo" {
		t.Errorf("chosen %s, with %d buttons", v.chosen, len(v.buttons()))
	}
}

// TestStopAndDelete: nothing is deleted before it is confirmed, and every
// copy's fate is said. To plant the bug, let the delete button call withdraw.
func TestStopAndDelete(t *testing.T) {
	s := full()
	v := open(t, s, fyne.NewSize(960, 540), "example/4")
	v.press(t, "Parar o registro")
	v.wait(t, "the report", func() bool { return strings.Contains(v.told(), "O registro parou") })
	v.wait(t, "what will not leave", func() bool { return strings.Contains(v.told(), "não saiu e não sairá") })
	v.press(t, "Apagar tudo desta sessão")
	if said := v.told(); !strings.Contains(said, "Neste computador:") || !strings.Contains(said, "Na empresa Example Support:") {
		t.Errorf("it does not say which copies:\n%s", said)
	}
	v.press(t, "Não apagar")
	if len(s.asked) != 1 {
		t.Fatalf("asked %+v", s.asked)
	}
	v.press(t, "Apagar tudo desta sessão")
	v.press(t, "Apagar tudo")
	v.wait(t, "the fate of the copies", func() bool {
		return strings.Contains(v.told(), "Cópia neste computador: apagada\nCópia na empresa Example Support: foi pedido que seja apagada")
	})
	if len(s.asked) != 2 || s.asked[0].Delete || !s.asked[1].Delete || slices.ContainsFunc(s.asked, func(w ipc.Withdraw) bool { return w.ID != "R4" || w.Press == nil }) {
		t.Errorf("asked %+v", s.asked)
	}
	if strings.Contains(v.told(), "message") || len(v.buttons()) != 1 {
		t.Errorf("after deletion:\n%s", v.told())
	}
}

func TestEnforcedPolicyObjects(t *testing.T) {
	v := open(t, full(), fyne.NewSize(960, 540), "example/3")
	if b := v.buttons(); len(b) != 2 || b[0].Text != "Registrar objeção" || !strings.Contains(v.told(), "não pode ser parado nem apagado") {
		t.Fatalf("%d buttons\n%s", len(b), v.told())
	}
	v.press(t, "Registrar objeção")
	v.wait(t, "the objection", func() bool { return strings.Contains(v.told(), "A objeção foi registrada") })
	if len(v.buttons()) != 1 {
		t.Error("it can be objected to twice")
	}
}

func TestSearch(t *testing.T) {
	v := open(t, full(), fyne.NewSize(960, 540), "")
	v.search.SetText("SCANNER")
	v.wait(t, "what was found in the items", func() bool {
		return slices.Equal(v.listed(), []string{"20/11/2026", "Supporter 1 1 item encontrado"}) && !v.note.Visible()
	})
	v.search.SetText("nowhere")
	if len(v.rows) != 0 || v.note.Text != v.t("activity.found.none") || !v.note.Visible() {
		t.Errorf("%q, %q", v.listed(), v.note.Text)
	}
	v.search.SetText("")
	if len(v.rows) != 6 || v.note.Visible() || v.both.Objects[0].(*fyne.Container).Objects[0].Position().Y != 0 {
		t.Errorf("%q", v.listed())
	}
}

func TestEmptyAndGone(t *testing.T) {
	s := &service{}
	v := open(t, s, fyne.NewSize(960, 540), "")
	said := func() (text string) {
		for _, o := range test.LaidOutObjects(v.body) {
			if l, ok := o.(*control.Paragraph); ok {
				text += l.Text + "\n"
			}
		}
		return text
	}
	if !strings.Contains(said(), "Ninguém pediu um resumo neste computador ainda") {
		t.Errorf("empty: %q", said())
	}
	v.dial = func(context.Context) (Service, error) { return nil, ipc.ErrEnded }
	v.Refresh()
	v.wait(t, "the error", func() bool { return !v.busy })
	if !strings.Contains(said(), "não está respondendo") || !strings.HasSuffix(said(), "AVL-IPC-02\n") {
		t.Errorf("gone: %q", said())
	}
}

// TestNarrow: where both do not fit, one is seen at a time, and there is a way back.
func TestNarrow(t *testing.T) {
	v := open(t, full(), fyne.NewSize(500, 280), "")
	left, right := v.both.Objects[0], v.both.Objects[1]
	if !left.Visible() || right.Visible() {
		t.Error("the list is not what is seen first")
	}
	v.list.Select(1)
	if left.Visible() || !right.Visible() || !v.way.Visible() {
		t.Error("the details are not seen")
	}
	v.goBack()
	if !left.Visible() || right.Visible() {
		t.Error("there is no way back")
	}
}

// TestLooks: no two tones look the same without colour.
func TestLooks(t *testing.T) {
	seen := map[string]viewmodel.Tone{}
	for tone := viewmodel.ToneUnknown; tone <= viewmodel.ToneErased; tone++ {
		l, ok := looks[tone]
		shape := fmt.Sprint(l.strokes)
		if other, twice := seen[shape]; twice || !ok || len(l.strokes) > maxStroke {
			t.Errorf("tone %d: known %v, like %d", tone, ok, other)
		}
		seen[shape] = tone
	}
}

// TestSummary: what the company has written is shown as plain text, and what
// changes there while the window is open changes here.
func TestSummary(t *testing.T) {
	s := full()
	v := open(t, s, fyne.NewSize(960, 540), "example/4")
	v.wait(t, "that there is none", func() bool { return strings.Contains(v.told(), "ainda não tem um resumo") })
	s.mu.Lock()
	s.version = 2
	s.mu.Unlock()
	v.do(func() { v.Changed([]ipc.What{ipc.WhatRecords}) })
	v.wait(t, "the summary", func() bool {
		said := v.told()
		for _, want := range []string{"O resumo, como Example Support o tem", "The printer works.", "lp: was run", "lpadmin", "Escrito por regras, sem IA. Versão 2", "mudou o texto"} {
			if !strings.Contains(said, want) {
				return false
			}
		}
		return !strings.Contains(said, "\u202e")
	})
}

// TestReceipt: it is saved and printed, and what became of that is said.
func TestReceipt(t *testing.T) {
	v := open(t, full(), fyne.NewSize(960, 540), "example/4")
	var mu sync.Mutex
	done := map[string]string{}
	note := func(k, text string) { mu.Lock(); done[k] = text; mu.Unlock() }
	v.save = func(name, ending string, content []byte) (string, error) {
		note(ending, string(content))
		return "/folder/" + name + ending, nil
	}
	v.prnt = func(page string) error { note("lp", page); return errors.New("out of paper") }
	v.press(t, "Recibo")
	v.press(t, "Salvar para ler")
	v.wait(t, "where the page is", func() bool { return strings.Contains(v.told(), "Salvo em /folder/recibo-aval-2026-11-22.txt") })
	v.press(t, "Salvar para conferir")
	v.wait(t, "where the JSON is", func() bool { return strings.Contains(v.told(), "recibo-aval-2026-11-22.json") })
	v.press(t, "Imprimir")
	v.wait(t, "that it could not be printed", func() bool { return strings.Contains(v.told(), "AVL-ACT-03") })
	mu.Lock()
	defer mu.Unlock()
	if done[".txt"] != "page of R4 in pt-BR" || done[".json"] != `{"of":"R4"}` || done["lp"] != done[".txt"] {
		t.Errorf("%q", done)
	}
}
