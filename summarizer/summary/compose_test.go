package summary_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/summarizer/summary"
	"aval/summarizer/summary/sample"
)

// composed is what becomes of one claim about the printer's session.
func composed(t *testing.T, lang, text string, ev ...uint64) (summary.Summary, bool) {
	t.Helper()
	in := sample.Printer(lang)
	items, left := summary.Items(in, 1<<20)
	if left != 0 {
		t.Fatal("items are missing")
	}
	good := summary.Claim{Text: map[string]string{"pt-BR": "Foi usado o programa cupsenable.", "en": "The program cupsenable was used."}[lang], Events: []uint64{13}}
	s, kept, _ := summary.Compose(in, lang, summary.Claims{Sentences: []summary.Claim{good, {Text: text, Events: ev}}}, items, 0)
	if kept == 0 {
		t.Fatal("the true claim is gone too")
	}
	return s, kept == 2
}

// TestClaims: what the events bear out stays; what they do not goes. The numbers
// are the events of sample.Printer. Seen caught: with the look for events
// that are not there taken out of judge.take, and with judge.borne taken out, lines
// of "false" are kept. (Links are looked at where their events bear them out: in the
// tests of package llm.)
func TestClaims(t *testing.T) {
	for _, c := range []struct {
		ok   bool
		lang string
		text string
		ev   []uint64
	}{
		{true, "pt-BR", "A fila da impressora foi reativada com cupsenable.", []uint64{4, 13}},
		{true, "pt-BR", "O driver driver-2.4.deb foi enviado ao computador.", []uint64{16}},
		{true, "pt-BR", "A pessoa disse que a impressora voltou a funcionar.", []uint64{19}},
		{true, "pt-BR", "O suporte anotou: “Fila reativada e driver atualizado”.", []uint64{20}},
		{true, "en", "The file driver-2.4.deb was transferred to the computer.", []uint64{16}},
		{true, "en", "The Printers window was opened.", []uint64{7}},
		{true, "en", "**The printer queue** was enabled with `cupsenable`.", []uint64{13}},
		{true, "en", "<b>The printer</b> was enabled with cupsenable.", []uint64{13}},

		{false, "en", "The printer was enabled.", nil},                                                        // no evidence
		{false, "en", "The printer was enabled with cupsenable.", []uint64{99}},                               // not there
		{false, "en", "The printer was enabled with cupsenable.", []uint64{13, 99}},                           // one of two is not
		{false, "en", "The printer was enabled with cupsenable.", []uint64{2}},                                // noise that was not shown
		{false, "en", "The file driver-2.5.deb was transferred to the computer.", []uint64{16}},               // another number
		{false, "en", "The file malware.exe was transferred to the computer.", []uint64{16}},                  // another name
		{false, "en", "The supporter Roberto enabled the printer with cupsenable.", []uint64{13}},             // a person who is not there
		{false, "en", "Nobody did harm and rules were kept.", []uint64{13}},                                   // no word in common
		{false, "en", "The supporter noted “everything was paid in full”.", []uint64{20}},                     // a quotation nobody wrote
		{false, "en", "The printer driver was moved, see https://example.net/x.", []uint64{16}},               // link
		{false, "en", "The printer driver was moved, see www.example.net.", []uint64{16}},                     // link
		{false, "en", "The printer driver was moved, see example.net for more.", []uint64{16}},                // what becomes a link
		{false, "en", "The printer driver [is here](javascript:alert(1)) at file://x.", []uint64{16}},         // link
		{false, "en", "The printer driver is at hxxp://example․com/driver.", []uint64{16}},                    // dots of another alphabet
		{false, "en", "Write to driver@printer about the driver.", []uint64{16}},                              // address
		{false, "en", "The printer still does not work, the problem persists with cupsenable.", []uint64{13}}, // the events say otherwise
		{false, "en", strings.Repeat("The printer was enabled with cupsenable and ", 12), []uint64{13}},       // too long
		{false, "pt-BR", "O serviço 4711 da impressora foi reiniciado 17 vezes.", []uint64{13}},
		{false, "pt-BR", "A impressora do balcão foi trocada por uma Epson.", []uint64{4}},
	} {
		s, ok := composed(t, c.lang, c.text, c.ev...)
		if ok != c.ok {
			t.Errorf("%q %v: taken %t", c.text, c.ev, ok)
		}
		if ok && (strings.ContainsAny(s.Text, "*<>`") || strings.Contains(s.Text, "](")) {
			t.Errorf("markup: %s", s.Text)
		}
	}
}

// TestOutcomeIsTheRules: a model does not say how it turned out. Seen caught: with
// the look at outcomeCue taken out of judge.take, the first line is kept.
func TestOutcomeIsTheRules(t *testing.T) {
	in := sample.Shell()
	items, _ := summary.Items(in, 1<<20)
	for _, text := range []string{"The problem with nginx is fixed.", "Nginx works again.", "The nginx problem was resolved.", "Nginx still does not work."} {
		s, kept, _ := summary.Compose(in, "en", summary.Claims{Sentences: []summary.Claim{{Text: text, Events: []uint64{5}}, {Text: "Systemctl was used on nginx.", Events: []uint64{5}}}}, items, 0)
		if kept != 1 || s.Outcome.State != summary.NotStated || strings.Contains(s.Text, text) {
			t.Errorf("%q: %d kept: %s", text, kept, s.Text)
		}
	}
}

// TestNothingKept: without one true claim the summary is the rules' own, all of it.
func TestNothingKept(t *testing.T) {
	in := sample.Printer("en")
	items, _ := summary.Items(in, 1<<20)
	s, kept, dropped := summary.Compose(in, "en", summary.Claims{Name: summary.Claim{Text: "Printer", Events: []uint64{4}}, Sentences: []summary.Claim{{Text: "All good.", Events: []uint64{4}}}}, items, 0)
	if want := summary.Rules(in, "en"); kept != 0 || dropped != 1 || s.Name != want.Name || s.Text != want.Text {
		t.Errorf("%d %d %+v", kept, dropped, s)
	}
}

// TestItems: what is shown is in order, without noise and repetitions, the same
// however it comes in, and under a small budget what people said stays longest.
func TestItems(t *testing.T) {
	b := sample.New("ssh/1", "ssh", "Ana")
	for i := range 2000 {
		b.Add(time.Second, event.ProgramStarted, "program", fmt.Sprintf("tool-%d", i), "command", fmt.Sprintf("tool-%d --run", i))
		if i%100 == 0 {
			b.Add(time.Second, event.ChatMessage, "from", "person", "text", fmt.Sprintf("message %d", i))
		}
	}
	in := b.End("ended")
	items, left := summary.Items(in, 8<<10)
	chats := 0
	for i, it := range items {
		if i > 0 && items[i-1].ID >= it.ID {
			t.Fatal("out of order")
		}
		if it.Kind == event.ChatMessage {
			chats++
		}
	}
	if chats != 20 || left < 1000 || len(items)+left != 2021 {
		t.Errorf("%d shown, %d messages of 20, %d left out", len(items), chats, left)
	}
	slices.Reverse(in.Events)
	again, _ := summary.Items(in, 8<<10)
	if !slices.EqualFunc(items, again, func(a, b summary.Item) bool { return a.ID == b.ID }) {
		t.Error("another order gives other items")
	}
	// What was left out is said.
	s, kept, _ := summary.Compose(in, "en", summary.Claims{Sentences: []summary.Claim{{Text: "The tool-0 program was run.", Events: []uint64{items[0].ID}}}}, items, left)
	if kept == 0 || !strings.Contains(s.Text, fmt.Sprintf("did not read %d events", left)) {
		t.Errorf("%d kept: %s", kept, s.Text)
	}
}
