package viewmodel_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/viewmodel"
)

var now = time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC)

func question(change func(*ipc.Question)) ipc.Question {
	q := ipc.Question{
		Tool: "x11vnc", Supporter: "Ana Souza", Address: "203.0.113.7", ConnectedAt: now.Add(-12 * time.Second),
		Companies: []ipc.QuestionCompany{{Name: "Example Support", Verified: true, Engine: "rules", RetentionDays: 90}},
		Offered:   []event.Group{event.Chat, event.Windows}, AnswerSeconds: 30,
	}
	if change != nil {
		change(&q)
	}
	return q
}

func TestQuestionInWords(t *testing.T) {
	type texts struct{ who, vouch, since, via, purpose, readers, kept string }
	plain := texts{"Ana Souza, de Example Support", "nome informado pelo suporte, não verificado", "conectou há 12 s",
		"por VNC (x11vnc), de 203.0.113.7",
		"Example Support quer registrar o que for feito nesta sessão e guardar um resumo escrito por regras, sem IA.",
		"Quem lê: a equipe de suporte de Example Support.", "Guardado por 90 dias."}
	with := func(change func(*texts)) texts { w := plain; change(&w); return w }
	for name, c := range map[string]struct {
		change func(*ipc.Question)
		want   texts
	}{
		"ordinary": {nil, plain},
		"verified": {func(q *ipc.Question) { q.SupporterVerified = true },
			with(func(w *texts) { w.vouch = "nome verificado por Example Support" })},
		"nobody vouches for the company": {func(q *ipc.Question) { q.SupporterVerified = true; q.Companies[0].Verified = false },
			with(func(w *texts) {
				w.vouch = "nomes da pessoa e da empresa informados pelo suporte, não verificados"
			})},
		"the name is an address": {func(q *ipc.Question) { q.Supporter, q.SupporterVerified = "203.0.113.7", true },
			with(func(w *texts) {
				w.who, w.vouch, w.via = "Alguém no endereço 203.0.113.7, de Example Support", "quem conectou não informou um nome", "por VNC (x11vnc)"
			})},
		"the name is an IPv6 address": {func(q *ipc.Question) { q.Supporter = "[2001:db8::1]:50022" },
			with(func(w *texts) {
				w.who, w.vouch = "Alguém no endereço [2001:db8::1]:50022, de Example Support", "quem conectou não informou um nome"
			})},
		"no name": {func(q *ipc.Question) { q.Supporter = "\u200b \t" },
			with(func(w *texts) {
				w.who, w.vouch = "Alguém, de Example Support", "quem conectou não informou um nome"
			})},
		"a model": {func(q *ipc.Question) { q.Companies[0].Engine = "a-model" },
			with(func(w *texts) { w.purpose = strings.Replace(w.purpose, "por regras, sem IA", "por IA", 1) })},
		"a model here": {func(q *ipc.Question) { q.Companies[0].Engine = "a-model@localhost" },
			with(func(w *texts) { w.purpose = strings.Replace(w.purpose, "por regras, sem IA", "por IA", 1) })},
		"a model that looks like the rules": {func(q *ipc.Question) { q.Companies[0].Engine = " rules" },
			with(func(w *texts) { w.purpose = strings.Replace(w.purpose, "por regras, sem IA", "por IA", 1) })},
		"unknown engine": {func(q *ipc.Question) { q.Companies[0].Engine = "" },
			with(func(w *texts) { w.purpose = strings.Replace(w.purpose, "por regras, sem IA", "automaticamente", 1) })},
		"readers named": {func(q *ipc.Question) { q.Companies[0].Readers = "Suporte e Qualidade." },
			with(func(w *texts) { w.readers = "Quem lê: Suporte e Qualidade." })},
		"one day": {func(q *ipc.Question) { q.Companies[0].RetentionDays = 1 },
			with(func(w *texts) { w.kept = "Guardado por 1 dia." })},
		"retention not said": {func(q *ipc.Question) { q.Companies[0].RetentionDays = 0 },
			with(func(w *texts) { w.kept = "A empresa não informou por quanto tempo guarda." })},
		"another tool": {func(q *ipc.Question) { q.Tool, q.Address = "Some Tool", "" },
			with(func(w *texts) { w.via = "por Some Tool" })},
		"a tool that is named like a key": {func(q *ipc.Question) { q.Tool = "consent.title" },
			with(func(w *texts) { w.via = "por consent.title, de 203.0.113.7" })},
		"no tool": {func(q *ipc.Question) { q.Tool, q.Address = "", "" },
			with(func(w *texts) { w.via = "por um programa de acesso remoto" })},
		"connected for minutes": {func(q *ipc.Question) { q.ConnectedAt = now.Add(-119 * time.Second) },
			with(func(w *texts) { w.since = "conectou há 1 min" })},
		"connected for hours": {func(q *ipc.Question) { q.ConnectedAt = now.Add(-3 * time.Hour) },
			with(func(w *texts) { w.since = "conectou há 3 h" })},
		"connected in the future": {func(q *ipc.Question) { q.ConnectedAt = now.Add(time.Hour) },
			with(func(w *texts) { w.since = "conectou agora" })},
		"since when is not known": {func(q *ipc.Question) { q.ConnectedAt = time.Time{} },
			with(func(w *texts) { w.since = "" })},
		"a name with a placeholder": {func(q *ipc.Question) { q.Supporter = "{company}" },
			with(func(w *texts) { w.who = "{company}, de Example Support" })},
	} {
		a := viewmodel.New(question(c.change), assets.For("pt-BR"), now)
		got := texts{a.Who, a.Vouch, a.Since, a.Via, a.Purposes[0], a.Readers[0], a.Readers[1]}
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
		if a.Verified != (name == "verified") {
			t.Errorf("%s: verified is %v", name, a.Verified)
		}
	}
}

// TestEverythingIsSaid: each language says all that the person must know, in
// the window and in the native dialog.
func TestEverythingIsSaid(t *testing.T) {
	for _, lang := range assets.Langs() {
		q := question(func(q *ipc.Question) { q.Offered = event.Groups })
		a := viewmodel.New(q, assets.For(lang), now)
		native := a.Title + "\n" + a.Text() + "\n" + a.Deny + "\n" + a.Allow
		say := []string{a.Title, a.Who, a.Vouch, a.Since, a.Via, a.Purposes[0], a.Readers[0], a.Readers[1],
			a.IfNot, a.Stop, a.Footnote, a.Deny, a.Allow, a.Countdown(30 * time.Second)}
		for _, g := range a.Groups {
			say = append(say, g.Text)
		}
		say = append(say, a.NotRecorded...)
		for where, text := range map[string]string{"window": a.Window(), "native": native} {
			for _, s := range say {
				if s == "" || !strings.Contains(text, s) {
					t.Errorf("%s, %s: %q is missing in\n%s", lang, where, s, text)
				}
			}
			if strings.ContainsAny(text, "{}[]<>") {
				t.Errorf("%s, %s: left over:\n%s", lang, where, text)
			}
		}
		if len(a.Groups) != len(event.Groups) {
			t.Errorf("%s: %d groups of %d have a text", lang, len(a.Groups), len(event.Groups))
		}
		if a.Language == "" || a.Covered == "" || a.Arming == "" || len(a.Details) < 6 {
			t.Errorf("%s: something is missing: %+v", lang, a)
		}
	}
}

func TestOnlyOfferedGroups(t *testing.T) {
	a := viewmodel.New(question(func(q *ipc.Question) {
		q.Offered = []event.Group{event.Chat, "consent.title", event.Windows, event.Chat}
	}), assets.For("en"), now)
	var got []event.Group
	for _, g := range a.Groups {
		got = append(got, g.Group)
	}
	if !slices.Equal(got, []event.Group{event.Windows, event.Chat}) {
		t.Errorf("groups are %v", got)
	}
	if strings.Contains(a.Text(), "commands that are run") {
		t.Error("the native dialog names a group that is not offered")
	}
}

func TestHashes(t *testing.T) {
	en := viewmodel.New(question(nil), assets.For("en"), now)
	same := viewmodel.New(question(nil), assets.For("en"), now)
	pt := viewmodel.New(question(nil), assets.For("pt-BR"), now)
	other := viewmodel.New(question(func(q *ipc.Question) { q.Companies[0].RetentionDays = 91 }), assets.For("en"), now)
	if en.WindowSHA256() != same.WindowSHA256() || en.NativeSHA256() != same.NativeSHA256() {
		t.Error("the same question has two hashes")
	}
	for name, b := range map[string]viewmodel.Ask{"language": pt, "retention": other} {
		if en.WindowSHA256() == b.WindowSHA256() || en.NativeSHA256() == b.NativeSHA256() {
			t.Errorf("another %s has the same hash", name)
		}
	}
	if len(en.WindowSHA256()) != 64 || en.WindowSHA256() == en.NativeSHA256() {
		t.Errorf("hashes are %s and %s", en.WindowSHA256(), en.NativeSHA256())
	}
}

func TestCatalog(t *testing.T) {
	for _, c := range []struct {
		policy []string
		locale string
		want   string
	}{
		{nil, "pt_BR.UTF-8", "pt-BR"}, {nil, "", "en"}, {[]string{"en"}, "pt_BR.UTF-8", "pt-BR"},
		{[]string{"ja", "pt-BR"}, "en_GB", "en"}, {[]string{"ja"}, "C", "ja"}, {[]string{"xx", "de"}, "th_TH.UTF-8", "de"},
		{[]string{"ja"}, "th_TH.UTF-8:pl", "pl"},
	} {
		if got := viewmodel.Catalog(ipc.Question{Languages: c.policy}, c.locale).Lang; got != c.want {
			t.Errorf("%v, %q: %s, want %s", c.policy, c.locale, got, c.want)
		}
	}
}

func TestCountdown(t *testing.T) {
	a := viewmodel.New(question(nil), assets.For("en"), now)
	for left, want := range map[time.Duration]string{
		30 * time.Second:                   "No answer in 30 s: it will not be recorded",
		29*time.Second + time.Millisecond:  "No answer in 30 s: it will not be recorded",
		time.Millisecond:                   "No answer in 1 s: it will not be recorded",
		0:                                  "Time is up: it will not be recorded",
		-time.Second:                       "Time is up: it will not be recorded",
		125 * time.Second:                  "No answer in 2 min 5 s: it will not be recorded",
		300*time.Second - time.Millisecond: "No answer in 5 min 0 s: it will not be recorded",
	} {
		if got := a.Countdown(left); got != want {
			t.Errorf("%v: %q, want %q", left, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Ana Souza":                   "Ana Souza",
		"  Ana \t\r\n Souza ":         "Ana Souza",
		"A\u202Egro\u202Cz":           "Agroz",
		"A\u200B\u200D\uFEFF\u00ADna": "Ana",
		"A\x00\x1b[31mna":             "A[31mna",
		"A\u2028na\u2029B\u0085C":     "A na B C",
		"\u3164\u2800\u115F":          "",
		"e\u0301\u0301\u0301\u0301":   "e\u0301\u0301",
		"\u0301a":                     "a",
		"a\uFE0F\U000E0041":           "a",
		"\xff\xfeabc":                 "abc",
		"\uE000x\uFFFD":               "x",
		"João & Maria <b>":            "João & Maria <b>",
		strings.Repeat("x", 70):       strings.Repeat("x", 63) + "…",
		strings.Repeat("x", 64):       strings.Repeat("x", 64),
		strings.Repeat("\u200b", 300): "",
	} {
		if got := viewmodel.Clean(in, 64); got != want {
			t.Errorf("Clean(%+q) is %+q, want %+q", in, got, want)
		}
	}
}

func harmless(t interface {
	Helper()
	Errorf(string, ...any)
}, in string, max int) {
	t.Helper()
	out := viewmodel.Clean(in, max)
	if utf8.RuneCountInString(out) > max || !utf8.ValidString(out) {
		t.Errorf("Clean(%+q, %d) is %+q", in, max, out)
	}
	for _, r := range out {
		if !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) || (unicode.IsSpace(r) && r != ' ') {
			t.Errorf("Clean(%+q) keeps %U", in, r)
		}
	}
	if strings.Contains(out, "  ") || strings.TrimSpace(out) != out {
		t.Errorf("Clean(%+q) has spaces: %q", in, out)
	}
	if again := viewmodel.Clean(out, max); again != out {
		t.Errorf("Clean(%+q) is %+q, and of that %+q", in, out, again)
	}
}

func TestCleanIsHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		harmless(t, rapid.String().Draw(t, "text"), rapid.IntRange(1, 80).Draw(t, "max"))
	})
}

func FuzzClean(f *testing.F) {
	f.Add("Ana\u202e\u0301\x00 \u2028", 5)
	f.Add("\xff a\u0301", 1)
	f.Fuzz(func(t *testing.T, in string, max int) {
		if max < 1 || max > 1000 {
			t.Skip()
		}
		harmless(t, in, max)
	})
}

func TestArming(t *testing.T) {
	at := func(ms int) time.Time { return now.Add(time.Duration(ms) * time.Millisecond) }
	var a viewmodel.Arming
	if a.Ready(at(1e6)) || a.Left(now) >= 0 {
		t.Error("a window that was never seen counts")
	}
	a = a.Seen(at(0))
	for ms, want := range map[int]bool{-5000: false, 0: false, 999: false, 1000: true, 60000: true} {
		if a.Ready(at(ms)) != want {
			t.Errorf("at %d ms ready is %v", ms, !want)
		}
	}
	if a.Left(at(400)) != 600*time.Millisecond || a.Left(at(5000)) != 0 {
		t.Errorf("left: %v, %v", a.Left(at(400)), a.Left(at(5000)))
	}
	if b := a.Seen(at(900)); !b.Ready(at(1000)) {
		t.Error("being seen twice is taken for a disturbance")
	}
	if b := a.Disturbed(at(5000)); b.Ready(at(5999)) || !b.Ready(at(6000)) {
		t.Error("a disturbance does not begin the delay anew")
	}
	if b := a.Covered(); b.Ready(at(90000)) || b.Disturbed(at(0)).Ready(at(90000)) {
		t.Error("a covered window counts")
	}
	if b := a.Covered().Seen(at(7000)); b.Ready(at(7999)) || !b.Ready(at(8000)) {
		t.Error("being uncovered does not begin the delay anew")
	}
}

// declared reads the values of all constants of a type in agent/consent from
// its source: a new word without a text is found here.
func declared(t *testing.T, typ string) []string {
	t.Helper()
	var words []string
	files, err := filepath.Glob("../../agent/consent/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != typ || len(spec.Values) != 1 {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				word, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				words = append(words, word)
			}
			return true
		})
	}
	if len(words) < 10 {
		t.Fatalf("only %d constants of %s were found", len(words), typ)
	}
	return words
}

func TestEveryWordHasItsText(t *testing.T) {
	for _, lang := range assets.Langs() {
		cat := assets.For(lang)
		for typ, text := range map[string]func(string) string{
			"Reason":  func(w string) string { return viewmodel.Reason(cat, consent.Reason(w)) },
			"Ending":  func(w string) string { return viewmodel.Ending(cat, consent.Ending(w)) },
			"Outcome": func(w string) string { return viewmodel.Outcome(cat, consent.Outcome(w)) },
		} {
			unknown := text("consent.title")
			if strings.HasPrefix(unknown, "[") || unknown == cat.T("consent.title", nil) {
				t.Errorf("%s: an unknown %s is %q", lang, typ, unknown)
			}
			seen := map[string]string{}
			for _, word := range declared(t, typ) {
				s := text(word)
				if s == "" || s == unknown || strings.HasPrefix(s, "[") {
					t.Errorf("%s: %s %q has no text: %q", lang, typ, word, s)
				}
				if other, twice := seen[s]; twice {
					t.Errorf("%s: %q and %q have the same text %q", lang, word, other, s)
				}
				seen[s] = word
			}
		}
	}
}

// An account's company is called by its server too, says that somebody is signed
// in there, and what the tool says of the supporter is not vouched for. Planted:
// without the last part of guest the name stood as if it were.
func TestAccount(t *testing.T) {
	q := ipc.Question{Supporter: "Ana", Tool: "x11vnc", AnswerSeconds: 30, Companies: []ipc.QuestionCompany{
		{Name: "Banco do Brasil", Host: "support.example.com", Account: true, First: true, Pinned: true, Engine: "rules", RetentionDays: 90}}}
	st := ipc.Status{Company: "Banco do Brasil", Account: "Ana Souza", Server: "https://support.example.com", Link: "connected"}
	for _, lang := range assets.Langs() {
		cat := assets.For(lang)
		a := viewmodel.New(q, cat, time.Now())
		if a.Verified || !strings.Contains(a.Who, "support.example.com") || strings.Contains(a.Who, "Banco") ||
			!strings.Contains(a.Vouch, cat.T("consent.unverified", nil)) || !strings.Contains(a.Vouch, cat.T("consent.account.first", assets.Args{"company": "Banco do Brasil"})) {
			t.Errorf("%s: %q, %q", lang, a.Who, a.Vouch)
		}
		address := q
		address.Supporter = "203.0.113.7"
		if a := viewmodel.New(address, cat, time.Now()); a.Who != cat.T("consent.who.address", assets.Args{"address": "203.0.113.7", "company": "support.example.com"}) ||
			!strings.HasSuffix(a.Vouch, cat.T("consent.unverified.none", nil)) {
			t.Errorf("%s: %q, %q", lang, a.Who, a.Vouch)
		}
		v := viewmodel.NewSettings(viewmodel.SettingsState{Status: st}, cat, time.UTC)
		if v.Company != "support.example.com" || !strings.Contains(v.Companies[0], "Ana Souza") || !strings.Contains(v.Companies[0], "support.example.com") {
			t.Errorf("%s: %q, %q", lang, v.Company, v.Companies)
		}
	}
}

func TestStatus(t *testing.T) {
	cat := assets.For("en")
	for name, c := range map[string]struct {
		in   ipc.Status
		want []string
	}{
		"fresh": {ipc.Status{Link: "none"}, []string{"Nothing is being recorded.", "No support session is open.",
			"Nobody can ask for a summary on this computer yet: no company is connected to it."}},
		"busy": {ipc.Status{Company: "Example Support", Server: "support.example.com", Link: "connected", Sessions: 2, Recording: 1, Waiting: 1},
			[]string{"1 session is being recorded for a summary.", "2 support sessions are open.", "This computer is connected to Example Support.",
				"Connected to the summary server support.example.com.", "1 item waits to be sent."}},
		"a link that this version does not know": {ipc.Status{Company: "C", Link: "app.what"},
			[]string{"Nothing is being recorded.", "No support session is open.", "This computer is connected to C.", "No summary server is set up."}},
		"notes": {ipc.Status{Notes: []string{"A damaged\nfile was put aside.", "\u200b"}},
			[]string{"Nothing is being recorded.", "No support session is open.",
				"Nobody can ask for a summary on this computer yet: no company is connected to it.", "A damaged file was put aside."}},
	} {
		s := viewmodel.NewStatus(c.in, nil, cat, time.UTC)
		if got := append([]string{s.Recording}, s.Lines...); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
		if got := len(s.Administrator) > 0; got != (c.in.Company == "") {
			t.Errorf("%s: what an administrator does is %q", name, s.Administrator)
		}
	}
}

// Who asks by a code is called by the server that TLS has verified, everywhere;
// the name that it gives itself stands once, as given. Planted: with Name before
// Host in companyName the purposes named "Banco do Brasil", which is caught here.
func TestGuest(t *testing.T) {
	q := ipc.Question{Supporter: "Ana", SupporterVerified: true, Tool: "support", AnswerSeconds: 30, Companies: []ipc.QuestionCompany{
		{Name: "Banco do Brasil", Host: "support.example.com", First: true, Pinned: true, Engine: "rules", RetentionDays: 90}}}
	for _, lang := range assets.Langs() {
		cat := assets.For(lang)
		a := viewmodel.New(q, cat, time.Now())
		if a.Verified || !strings.Contains(a.Who, "support.example.com") || strings.Contains(a.Who, "Banco") {
			t.Errorf("%s: %q, verified %v", lang, a.Who, a.Verified)
		}
		if n := strings.Count(a.Window(), "Banco do Brasil"); n != 1 || !strings.Contains(a.Vouch, "Banco do Brasil") {
			t.Errorf("%s: the name as given stands %d times; %q", lang, n, a.Vouch)
		}
		first := a.Vouch
		q.Companies[0].First = false
		if again := viewmodel.New(q, cat, time.Now()).Vouch; again == first {
			t.Errorf("%s: the second time is told as the first: %q", lang, again)
		}
		q.Companies[0].First = true
	}
	a := viewmodel.New(q, assets.For("pt-BR"), time.Now())
	if a.Who != "Ana, de support.example.com" || !strings.HasPrefix(a.Vouch, "primeira vez neste computador; apresenta-se como “Banco do Brasil” (nome informado)") {
		t.Errorf("%q\n%q", a.Who, a.Vouch)
	}
}

// Each reason of a code has a sentence of its own in every language.
func TestJoined(t *testing.T) {
	for _, lang := range assets.Langs() {
		cat, seen := assets.For(lang), map[string]bool{}
		for _, why := range []string{ipc.WhyBad, ipc.WhyUnknown, ipc.WhyUsed, ipc.WhyExpired, ipc.WhyTries, ipc.WhyServer, ipc.WhyDenied, ipc.WhyManaged, ipc.WhyImpostor, ""} {
			text, done := viewmodel.Joined(cat, ipc.SessionBeginResult{}, &ipc.Error{Why: why, Message: "english"})
			if done || text == "" || strings.Contains(text, "english") || strings.HasPrefix(text, "[") || seen[text] {
				t.Errorf("%s, %q: %q, %v", lang, why, text, done)
			}
			seen[text] = true
		}
		for _, o := range []consent.Outcome{consent.OutcomeAsking, consent.OutcomeAllowed, consent.OutcomeDenied} {
			if text, done := viewmodel.Joined(cat, ipc.SessionBeginResult{Outcome: o}, nil); !done || seen[text] {
				t.Errorf("%s, %s: %q, %v", lang, o, text, done)
			} else {
				seen[text] = true
			}
		}
	}
}
