package viewmodel_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/viewmodel"
)

func decision(change func(*ipc.ConsentEntry)) ipc.ConsentEntry {
	e := ipc.ConsentEntry{ID: "R1", Session: "x11vnc/1", Tool: "x11vnc", Supporter: "Ana Souza", Company: "Example Support",
		Verdict: consent.Ask, Basis: consent.BasisConsent, Reason: consent.ReasonMustConfirm, Outcome: consent.OutcomeAllowed,
		Ending: consent.EndingAnsweredYes, Provenance: consent.P0, Groups: []event.Group{event.Chat}, At: now}
	if change != nil {
		change(&e)
	}
	return e
}

func TestActivityInWords(t *testing.T) {
	running := []ipc.SessionInfo{{Session: "x11vnc/1", Recording: true}}
	for name, c := range map[string]struct {
		change              func(*ipc.ConsentEntry)
		live                []ipc.SessionInfo
		word                string
		tone                viewmodel.Tone
		says                string
		stop, erase, object bool
	}{
		"allowed, over":    {nil, nil, "Permitido", viewmodel.ToneAllowed, "não se sabe de quem foi a mão", false, true, false},
		"allowed, running": {nil, running, "Permitido", viewmodel.ToneAllowed, "está sendo registrada agora", true, true, false},
		"paused":           {nil, []ipc.SessionInfo{{Session: "x11vnc/1", Paused: true}}, "Permitido", viewmodel.ToneAllowed, "está pausado agora", true, true, false},
		"open, not recorded": {nil, []ipc.SessionInfo{{Session: "x11vnc/1"}}, "Permitido", viewmodel.ToneAllowed,
			"Podia ser registrado: ", false, true, false},
		"hardware": {func(e *ipc.ConsentEntry) { e.Provenance = consent.P2 }, nil, "Permitido", viewmodel.ToneAllowed, "o teclado ou o mouse deste computador", false, true, false},
		"unknown provenance is P0": {func(e *ipc.ConsentEntry) { e.Provenance = "P9" }, nil, "Permitido", viewmodel.ToneAllowed,
			"não se sabe de quem foi a mão", false, true, false},
		"withdrawn": {func(e *ipc.ConsentEntry) { e.Outcome = consent.OutcomeWithdrawn }, running, "Retirado", viewmodel.ToneStopped, "Ana", false, true, false},
		"stopped by hand": {func(e *ipc.ConsentEntry) { e.Outcome, e.Hand = consent.OutcomeWithdrawn, consent.P2 }, nil, "Retirado", viewmodel.ToneStopped,
			"Quem parou: alguém no mouse ou no teclado deste computador.", false, true, false},
		"deleted by nobody's known hand": {func(e *ipc.ConsentEntry) { e.Outcome, e.Hand = consent.OutcomeErased, consent.P0 }, nil, "Apagado", viewmodel.ToneErased,
			"Quem mandou apagar: não se sabe de quem foi a mão.", false, false, false},
		"stopped by a program": {func(e *ipc.ConsentEntry) { e.Outcome, e.Hand = consent.OutcomeWithdrawn, consent.PX }, nil, "Retirado", viewmodel.ToneStopped,
			"Quem parou: um programa, e não uma mão neste computador.", false, true, false},
		"an unknown hand is nobody's known": {func(e *ipc.ConsentEntry) { e.Outcome, e.Hand = consent.OutcomeWithdrawn, "P9" }, nil, "Retirado", viewmodel.ToneStopped,
			"Quem parou: não se sabe de quem foi a mão.", false, true, false},
		"objected by hand": {func(e *ipc.ConsentEntry) {
			e.Basis, e.Ending, e.Outcome, e.Hand = consent.BasisEnforcedPolicy, "", consent.OutcomeObjected, consent.P2
		}, nil, "Objeção registrada", viewmodel.ToneObjected, "Quem registrou a objeção: alguém no mouse", false, false, false},
		"held": {func(e *ipc.ConsentEntry) { e.Held = true }, nil, "Permitido", viewmodel.ToneAllowed, "Ainda nada saiu deste computador", false, true, false},
		"held, to be deleted": {func(e *ipc.ConsentEntry) { e.Outcome, e.Held = consent.OutcomeWithdrawn, true }, nil, "Retirado", viewmodel.ToneStopped,
			"Foi pedido apagar", false, true, false},
		"erased":  {func(e *ipc.ConsentEntry) { e.Outcome = consent.OutcomeErased }, running, "Apagado", viewmodel.ToneErased, "Ana", false, false, false},
		"expired": {func(e *ipc.ConsentEntry) { e.Outcome = consent.OutcomeExpired }, nil, "Expirado", viewmodel.ToneExpired, "Ana", false, true, false},
		"policy": {func(e *ipc.ConsentEntry) { e.Basis, e.Ending = consent.BasisPolicy, "" }, running,
			"Política", viewmodel.TonePolicy, "agora", true, true, false},
		"enforced": {func(e *ipc.ConsentEntry) { e.Basis, e.Ending = consent.BasisEnforcedPolicy, "" }, running,
			"Política", viewmodel.TonePolicy, "não pode ser parado nem apagado", false, false, true},
		"objected": {func(e *ipc.ConsentEntry) {
			e.Basis, e.Ending, e.Outcome = consent.BasisEnforcedPolicy, "", consent.OutcomeObjected
		}, running, "Objeção registrada", viewmodel.ToneObjected, "objeção está registrada", false, false, false},
		"refused": {func(e *ipc.ConsentEntry) {
			e.Basis, e.Outcome, e.Ending = "", consent.OutcomeRefused, consent.EndingAnsweredNo
		}, nil, "Não permitido", viewmodel.ToneDenied, "“Não permitir”", false, false, false},
		"no answer": {func(e *ipc.ConsentEntry) {
			e.Basis, e.Outcome, e.Ending = "", consent.OutcomeNoAnswer, consent.EndingTimedOut
		}, nil, "Sem resposta", viewmodel.ToneSilent, "Ninguém respondeu a tempo", false, false, false},
		"could not ask": {func(e *ipc.ConsentEntry) {
			e.Basis, e.Outcome, e.Ending, e.Reason = "", consent.OutcomeCouldNotAsk, "", consent.ReasonDesktopLocked
		}, nil, "Não foi possível perguntar", viewmodel.ToneFailed, "tela estava bloqueada", false, false, false},
		"denied": {func(e *ipc.ConsentEntry) {
			e.Basis, e.Outcome, e.Ending, e.Reason = "", consent.OutcomeDenied, "", consent.ReasonDeniedBySetting
		}, nil, "Negado", viewmodel.ToneDenied, "“Negado”", false, false, false},
		"not known to this version": {func(e *ipc.ConsentEntry) { e.Basis, e.Outcome, e.Ending = "", "melted", "boiled" }, nil,
			"Estado desconhecido", viewmodel.ToneUnknown, "esta versão não conhece", false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := viewmodel.NewActivity([]ipc.ConsentEntry{decision(c.change)}, c.live, assets.For("pt-BR"), now)[0]
			if a.Word != c.word || a.Tone != c.tone || a.CanStop != c.stop || a.CanDelete != c.erase || a.CanObject != c.object {
				t.Errorf("%+v", a)
			}
			said := a.Who + "\n" + strings.Join(a.Facts, "\n")
			if !strings.Contains(said, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, said)
			}
			answered := strings.Contains(said, "Quem respondeu")
			if e := decision(c.change).Ending; answered != (e == consent.EndingAnsweredYes || e == consent.EndingAnsweredNo) {
				t.Errorf("who answered: %v\n%s", answered, said)
			}
			if strings.Contains(said, "[activity") || strings.Contains(said, "{") {
				t.Errorf("a text is missing:\n%s", said)
			}
		})
	}
}

func TestActivityDays(t *testing.T) {
	cat := assets.For("pt-BR")
	zone := time.FixedZone("", -3*3600)
	var got []string
	for _, at := range []time.Time{now, now.Add(-24 * time.Hour), now.Add(-72 * time.Hour), time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)} {
		a := viewmodel.NewActivity([]ipc.ConsentEntry{decision(func(e *ipc.ConsentEntry) { e.At = at })}, nil, cat, now.In(zone))[0]
		got = append(got, a.Day+" "+a.Time)
	}
	want := []string{"Hoje, 22/11/2026 11:20", "Ontem, 21/11/2026 11:20", "19/11/2026 11:20", "Ontem, 21/11/2026 22:00"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestSearchFolds(t *testing.T) {
	cat := assets.For("pt-BR")
	a := viewmodel.NewActivity([]ipc.ConsentEntry{decision(func(e *ipc.ConsentEntry) { e.Supporter = "João Conceição" })}, nil, cat, now)[0]
	for query, want := range map[string]bool{"joao": true, "CONCEIÇÃO": true, "example sup": true, "vnc": true, "permitido": true, "Maria": false} {
		if a.Matches(query) != want {
			t.Errorf("%q: %v", query, !want)
		}
	}
	it := viewmodel.NewItem(ipc.SentEvent{Kind: event.ChatMessage, At: now, Fields: map[string]string{"text": "A Impressão parou"}}, false, cat, time.UTC)
	if !it.Matches("impressao") || it.Matches("scanner") || !it.Matches("espera") {
		t.Error("an item is not found by what it says")
	}
}

func TestItems(t *testing.T) {
	cat := assets.For("pt-BR")
	for name, c := range map[string]struct {
		e      ipc.SentEvent
		closed bool
		want   viewmodel.Item
	}{
		"fields in the order of the table, others after": {ipc.SentEvent{Kind: event.FileTransferred, At: now, Acked: true,
			Fields: map[string]string{"size": "12", "name": "a.pdf", "zz": "new", "direction": "to-computer"}}, false,
			viewmodel.Item{Head: "14:20:00  Arquivo transferido", Fields: []string{"nome: a.pdf", "direção: to-computer", "bytes: 12", "zz: new"}}},
		"waiting": {ipc.SentEvent{Kind: event.Note, At: now, Fields: map[string]string{"text": "x"}}, false,
			viewmodel.Item{Head: "14:20:00  Anotação do suporte", State: "espera para ser enviado", Fields: []string{"texto: x"}}},
		"will never leave": {ipc.SentEvent{Kind: event.Note, At: now, Fields: map[string]string{"text": "x"}}, true,
			viewmodel.Item{Head: "14:20:00  Anotação do suporte", State: "não saiu e não sairá", Fields: []string{"texto: x"}}},
		"not known to this version": {ipc.SentEvent{Kind: "reason.unknown", At: now, Acked: true, Fields: map[string]string{"{name}": "{value}\u202e"}}, false,
			viewmodel.Item{Head: "14:20:00  Item de um tipo que esta versão não conhece", Fields: []string{"{name}: {value}"}}},
	} {
		got := viewmodel.NewItem(c.e, c.closed, cat, time.UTC)
		if got.Head != c.want.Head || got.State != c.want.State || !slices.Equal(got.Fields, c.want.Fields) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Every kind and every field of the vocabulary has words of its own.
func TestItemWords(t *testing.T) {
	for _, lang := range assets.Langs() {
		cat := assets.For(lang)
		for _, def := range event.Defs {
			e := ipc.SentEvent{Kind: def.Kind, Fields: map[string]string{}}
			for _, f := range def.Fields {
				e.Fields[f.Name] = "v"
			}
			it := viewmodel.NewItem(e, false, cat, time.UTC)
			if said := it.Head + strings.Join(it.Fields, ""); strings.Contains(said, "[activity") {
				t.Errorf("%s: %s", lang, said)
			}
		}
	}
}

// What is marked is what the redaction puts in, no more and no less.
func TestMarks(t *testing.T) {
	raw, err := os.ReadFile("../../agent/redact/redact.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*Mark\w+\s*= "(\[[^"]+\])"`).FindAllStringSubmatch(string(raw), -1)
	if len(found) < 8 {
		t.Fatalf("only %d marks are declared", len(found))
	}
	list := []string{event.TitleBefore}
	for _, m := range found {
		list = append(list, m[1])
	}
	for _, m := range list {
		got := viewmodel.Pieces("a " + m + m + " b")
		want := []viewmodel.Piece{{Text: "a "}, {Text: m, Mark: true}, {Text: m, Mark: true}, {Text: " b"}}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %+v", m, got)
		}
	}
	if got := viewmodel.Pieces("[other] [] x"); len(got) != 1 || got[0].Mark {
		t.Errorf("%+v", got)
	}
}

// TestMarksStayWhole: every mark is one to assets.Lines, spaces and all.
func TestMarksStayWhole(t *testing.T) {
	columns := func(s string) float64 { return float64(assets.Columns(s)) }
	for _, mark := range []string{event.TitleBefore, "[e-mail]", "[título]", "[name-9]"} {
		want := []string{"aaa bbb", mark, "cc"}
		if got := assets.Lines("aaa bbb "+mark+" cc", max(columns(mark), 7), columns, viewmodel.Marks); !slices.Equal(got, want) && !slices.Equal(got, []string{"aaa bbb", mark + " cc"}) {
			t.Errorf("%q", got)
		}
	}
}

func TestCopies(t *testing.T) {
	got := viewmodel.Copies(assets.For("pt-BR"), []consent.Copy{
		{Where: consent.CopyHere, Fate: consent.FateErased}, {Where: consent.CopyCompany, Company: "A Company\u202e", Fate: consent.FateAsked},
		{Where: consent.CopyCompany, Fate: consent.FateConfirmed}, {Where: "elsewhere", Company: "B", Fate: "hidden"}})
	want := []string{"Cópia neste computador: apagada", "Cópia na empresa A Company: foi pedido que seja apagada",
		"Cópia na empresa uma empresa sem nome: apagada, confirmado pela empresa", "Cópia na empresa B: esta versão não sabe o que aconteceu"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
