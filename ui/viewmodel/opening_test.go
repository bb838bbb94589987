package viewmodel_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/viewmodel"
)

// What a module's window says of a session that it has opened: a number in two
// halves while it waits, why nothing came of it, or a button; nothing where a session
// is open or it is no module. Planted: without the look at Sessions the button stood
// beside a recorded session.
func TestOpening(t *testing.T) {
	cat := assets.For("pt-BR")
	until := time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC)
	m := &ipc.ModuleStatus{Name: "Help desk", Company: "Example Support", Server: "support.example.com"}
	for _, row := range []struct {
		name string
		s    ipc.Status
		want viewmodel.Opening
	}{
		{"no module", ipc.Status{}, viewmodel.Opening{}},
		{"nothing yet", ipc.Status{Module: m}, viewmodel.Opening{Act: "Não tenho código: pedir um número"}},
		{"a session is open", ipc.Status{Module: m, Sessions: 1}, viewmodel.Opening{}},
		{"it waits", ipc.Status{Module: m, Opening: &ipc.Opening{Number: "482913", Until: until}}, viewmodel.Opening{Number: "482 913", Head: "Diga este número ao suporte:",
			Text: "Esperando até as 14:20 que alguém do suporte atenda. Antes disso nada é perguntado e nada é registrado."}},
		{"turned away", ipc.Status{Module: m, Opening: &ipc.Opening{Why: ipc.WhyRefused}}, viewmodel.Opening{Act: "Pedir outro número",
			Text: "O suporte dispensou esta sessão. Se foi engano, peça outro número."}},
		{"for a reason without a sentence", ipc.Status{Module: m, Opening: &ipc.Opening{Why: "x"}}, viewmodel.Opening{Act: "Pedir outro número",
			Text: "Não foi possível pedir um número agora. Tente de novo; se continuar, informe ao suporte."}},
	} {
		if got := viewmodel.NewOpening(row.s, cat, time.UTC); got != row.want {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
	if got := viewmodel.NotOpened(cat, errors.New("x")); got != cat.T("app.opening.failed", nil) {
		t.Error(got)
	}
	if got := viewmodel.NewStatus(ipc.Status{Module: m}, nil, cat, time.UTC).Lines; !strings.Contains(strings.Join(got, " "), "Help desk") || !strings.Contains(strings.Join(got, " "), "support.example.com") ||
		strings.Contains(strings.Join(got, " "), cat.T("app.company.none", nil)) {
		t.Errorf("whose it is: %q", got)
	}
}

// Every reason for which a module is not started has its own sentence in every
// language, and one that needs a day has it. Planted: with two reasons given one key,
// and with the day left out, it failed.
func TestRefusal(t *testing.T) {
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, lang := range assets.Langs() {
		cat := assets.For(lang)
		seen := map[string]string{}
		for _, why := range append([]string{"anything else"}, viewmodel.RefusalWords...) {
			r := viewmodel.NewRefusal(cat, why, day)
			if r.Title == "" || r.Text == "" || r.Nothing == "" || r.Close == "" || seen[r.Text] != "" {
				t.Errorf("%s %s: %+v, as %s", lang, why, r, seen[r.Text])
			}
			seen[r.Text] = why
			if dated := why == ipc.WhyExpired || why == ipc.WhyClock; dated != strings.Contains(r.Text, "2026-11-22") {
				t.Errorf("%s %s: %s", lang, why, r.Text)
			}
		}
		if r := viewmodel.NewRefusal(cat, ipc.WhyExpired, time.Time{}); seen[r.Text] != "anything else" {
			t.Errorf("%s without its day: %s", lang, r.Text)
		}
	}
}
