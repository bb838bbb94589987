package fit

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/test/stage"
	"aval/ui/activityview"
	"aval/ui/consentview"
	"aval/ui/control"
	"aval/ui/mainview"
	"aval/ui/noticeview"
	"aval/ui/refusalview"
	"aval/ui/settingsview"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

const (
	longSupporter = "Maximiliane Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtin"
	longCompany   = "Gesellschaft für Informationstechnik und Fernwartungsdienstleistungen Süd"
)

var at = time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC)

// window is a window as somebody has it in front of them.
type window struct {
	name    string
	content fyne.CanvasObject
	size    fyne.Size // that it opens with
	// fits: it chooses its height by the screen.
	fits bool
	// load fetches what it shows; nil: it has it already.
	load func()
}

// answer gives the windows what the service would: a policy, a session that is
// recorded, and a history with a decision of each kind.
func answer(supporter, company string) func(context.Context, ipc.Method, any, any) error {
	return func(_ context.Context, m ipc.Method, _, result any) error {
		switch r := result.(type) {
		case *ipc.SettingsResult:
			*r = ipc.SettingsResult{SessionInsights: consent.AccessDenied, Since: at, Effective: consent.AccessDenied, Origin: "setting",
				Lasting: []ipc.LastingAnswer{{ID: "L", Supporter: supporter, Company: company, At: at, Until: at.Add(time.Hour)}}}
			for i, g := range event.Groups {
				r.Groups = append(r.Groups, ipc.GroupSetting{Group: g, Record: i > 1, Own: i > 0, Barred: i == 1})
			}
		case *ipc.PolicyResult:
		case *ipc.Status:
			*r = ipc.Status{Build: "1", Company: company, Link: "connected", Server: "https://support.example.com", Device: "01J9ZK3V7Q", Sessions: 1, Recording: 1, Waiting: 3}
		case *[]ipc.SessionInfo:
			*r = []ipc.SessionInfo{{Session: "x11vnc/1", Tool: "x11vnc", Supporter: supporter, StartedAt: at, Outcome: consent.OutcomeAllowed, Recording: true}}
		case *ipc.ConsentListResult:
			for i, o := range []consent.Outcome{consent.OutcomeAllowed, consent.OutcomeRefused, consent.OutcomeNoAnswer, consent.OutcomeCouldNotAsk, consent.OutcomeDenied, consent.OutcomeObjected, consent.OutcomeErased} {
				e := ipc.ConsentEntry{ID: fmt.Sprint("R", i), Session: fmt.Sprint("x11vnc/", i+1), Tool: "x11vnc", Supporter: supporter, Company: company,
					Verdict: consent.Deny, Reason: consent.ReasonDeniedBySetting, Outcome: o, At: at.Add(-time.Duration(i) * 20 * time.Hour)}
				if o == consent.OutcomeAllowed || o == consent.OutcomeObjected || o == consent.OutcomeErased {
					e.Verdict, e.Basis, e.Reason = consent.Allow, consent.BasisStandingSetting, consent.ReasonAllowedBySetting
				}
				r.Entries = append(r.Entries, e)
			}
		case *ipc.SentResult:
			for i, text := range []string{"See [e-mail]", "/srv/" + longSupporter + "/" + longSupporter} {
				r.Events = append(r.Events, ipc.SentEvent{Session: "x11vnc/1", Seq: uint64(i + 1), Kind: event.ChatMessage, At: at, Fields: map[string]string{"from": "supporter", "text": text}, Acked: i == 0})
			}
		default:
			return fmt.Errorf("%s is not answered here", m)
		}
		return nil
	}
}

// service makes a connection out of an answer.
type service func(context.Context, ipc.Method, any, any) error

func (s service) Call(ctx context.Context, m ipc.Method, params, result any) error {
	return s(ctx, m, params, result)
}
func (service) Close() error { return nil }

// windows are all windows in one language, in each state that lays out its own.
func windows(t *testing.T, lang string, supporter, company string) []window {
	t.Helper()
	cat := assets.For(lang)
	var list []window
	q := stage.Question(240)
	q.Supporter, q.Companies[0].Name, q.AllowMinutes = supporter, company, 120
	two := q
	two.AllowMinutes = 0
	two.Companies = append([]ipc.QuestionCompany{}, append(q.Companies, ipc.QuestionCompany{ID: "c2", Name: "Example Industries", Engine: "some-model", RetentionDays: 30})...)
	for name, q := range map[string]ipc.Question{"ask": q, "ask, two companies": two} {
		v, err := consentview.New(consentview.Options{Question: q, Locale: lang, Now: time.Now, OnAnswer: func(consentview.Answer) {}})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, window{name: name, content: v.Content(), size: v.Size(), fits: true})
		low, err := consentview.New(consentview.Options{Question: q, Locale: lang, Now: time.Now, OnAnswer: func(consentview.Answer) {}})
		if err != nil {
			t.Fatal(err)
		}
		low.Fit(420)
		list = append(list, window{name: name + ", low", content: low.Content(), size: low.Size(), fits: true})
	}
	// The toolkit has one language at a time.
	if err := theme.Speak(cat); err != nil {
		t.Fatal(err)
	}
	call := answer(supporter, company)
	gone := func(context.Context, ipc.Method, any, any) error { return errors.New("gone") }
	for name, call := range map[string]service{"": call, ", without the service": gone} {
		main := mainview.New(mainview.Config{Catalog: cat, Version: "1.2.3", Zone: time.UTC, Settings: func() {}, Activity: func() {},
			Ask: func(ctx context.Context) (now mainview.Now, err error) {
				err = errors.Join(call(ctx, ipc.MethodStatus, nil, &now.Status), call(ctx, ipc.MethodSessionList, nil, &now.Sessions))
				return now, err
			}})
		list = append(list, window{name: "main" + name, content: main.Content(), size: fyne.NewSize(560, 560), load: main.Refresh})
		for page := settingsview.PageHome; page <= settingsview.PageCompanies; page++ {
			v := settingsview.New(settingsview.Config{Catalog: cat, Zone: time.UTC, Call: settingsview.Call(call), Locale: lang, Page: page, Back: func() {}, Language: func(string) {}})
			list = append(list, window{name: fmt.Sprintf("settings, page %d%s", page, name), content: v.Content(), size: v.Size(), load: v.Refresh})
		}
		for _, session := range []string{"", "x11vnc/1"} {
			// It reads on several goroutines, and the toolkit's test driver has none of its own.
			var turn sync.Mutex
			v := activityview.New(activityview.Config{Catalog: cat, Session: session, Now: func() time.Time { return at },
				Do: func(f func()) {
					turn.Lock()
					defer turn.Unlock()
					f()
				},
				Dial: func(context.Context) (activityview.Service, error) { return call, nil }})
			list = append(list, window{name: "activity " + session + name, content: v.Content(), size: v.Size(), load: v.Refresh})
		}
	}
	account := answer(supporter, company)
	for name, st := range map[string]ipc.Status{"nobody": {Link: "none"}, "an account": {Company: company, Account: supporter, Server: "https://support.example.com", Link: "connected"}} {
		v := settingsview.New(settingsview.Config{Catalog: cat, Zone: time.UTC, Locale: lang, Page: settingsview.PageCompanies, Back: func() {}, Language: func(string) {},
			Call: func(ctx context.Context, m ipc.Method, params, result any) error {
				if r, ok := result.(*ipc.Status); ok {
					*r = st
					return nil
				}
				return account(ctx, m, params, result)
			}})
		list = append(list, window{name: "settings, companies, " + name, content: v.Content(), size: v.Size(), load: v.Refresh})
	}
	for _, seldom := range []ipc.SettingsResult{
		{SessionInsights: consent.AccessCorrupt, Effective: consent.AccessDenied, Origin: "setting-corrupt"},
		{Effective: consent.AccessDenied, Origin: "policy-unreadable", Enforced: true},
		{Effective: consent.AccessAllowed, Origin: "enforced-policy", Enforced: true},
		{Effective: consent.AccessDenied, Origin: "a word of another version"},
	} {
		v := settingsview.New(settingsview.Config{Catalog: cat, Zone: time.UTC, Locale: lang, Page: settingsview.PageInsights, Back: func() {}, Language: func(string) {},
			Call: func(ctx context.Context, m ipc.Method, params, result any) error {
				switch r := result.(type) {
				case *ipc.SettingsResult:
					*r = seldom
				case *ipc.PolicyResult:
					*r = ipc.PolicyResult{State: consent.PolicyStale, GoodAt: at, Problem: longSupporter + " " + longCompany}
				default:
					return account(ctx, m, params, result)
				}
				return nil
			}})
		list = append(list, window{name: "settings, " + seldom.Origin, content: v.Content(), size: v.Size(), load: v.Refresh})
	}
	none := mainview.New(mainview.Config{Catalog: cat, Version: "1.2.3", Zone: time.UTC, Settings: func() {}, Activity: func() {},
		Ask: func(context.Context) (mainview.Now, error) {
			return mainview.Now{Status: ipc.Status{Build: "1", Link: "none", Notes: []string{longSupporter}}}, nil
		}})
	list = append(list, window{name: "main, nobody", content: none.Content(), size: fyne.NewSize(560, 560), load: none.Refresh})
	empty := activityview.New(activityview.Config{Catalog: cat, Now: func() time.Time { return at }, Dial: func(context.Context) (activityview.Service, error) {
		return service(func(context.Context, ipc.Method, any, any) error { return nil }), nil
	}})
	list = append(list, window{name: "activity, empty", content: empty.Content(), size: empty.Size(), load: empty.Refresh})
	for name, o := range map[string]*ipc.Opening{"without a code": nil, "that waits": {Number: "482913", Until: at}, "that nobody took": {Why: ipc.WhyExpired}} {
		main := mainview.New(mainview.Config{Catalog: cat, Version: "1.2.3", Zone: time.UTC, Settings: func() {}, Activity: func() {},
			Ask: func(context.Context) (mainview.Now, error) {
				return mainview.Now{Status: ipc.Status{Build: "1", Module: &ipc.ModuleStatus{Name: company, Company: company, Server: "support.example.com"}, Opening: o}}, nil
			}})
		list = append(list, window{name: "main, module " + name, content: main.Content(), size: fyne.NewSize(560, 560), load: main.Refresh})
	}
	for _, why := range append([]string{""}, viewmodel.RefusalWords...) {
		v := refusalview.New(viewmodel.NewRefusal(cat, why, at), func() {})
		list = append(list, window{name: "refusal " + why, content: v.Content(), size: v.Size()})
	}
	in := control.NewSignIn(cat, time.UTC, waiting{}, "https://support.example.com")
	in.Set("", "")
	list = append(list, window{name: "signing in", content: container.NewVScroll(container.NewVBox(in.Way(), in.Content())), size: fyne.NewSize(560, 400), load: in.Submit})
	for _, enforced := range []bool{false, true} {
		n := viewmodel.NewNotice(ipc.Notice{Session: "x11vnc/1", Tool: "x11vnc", Supporter: supporter, Enforced: enforced, Groups: event.Groups,
			Company: ipc.QuestionCompany{Name: company, Engine: "rules", RetentionDays: 90}}, cat)
		v := noticeview.New(noticeview.Options{Notice: n, Object: func() error { return nil }, Settings: func() {}, Close: func() {}})
		list = append(list, window{name: fmt.Sprintf("notice, enforced %v", enforced), content: v.Content(), size: v.Size()})
	}
	return list
}

// waiting is a service that shows a code and then waits for the approval.
type waiting struct{}

func (waiting) SignIn(_ context.Context, _ string, code func(ipc.SignInCode)) (ipc.SignInResult, error) {
	code(ipc.SignInCode{Code: "7K3M-Q9TD", URL: "https://support.example.com/account", Expires: at})
	pprof.SetGoroutineLabels(context.Background()) // what the window shows, it has
	select {}
}

func (waiting) SignOut(context.Context) error { return nil }

var loads int // so far

// open shows a window in a size and waits until it has what it shows.
func (w window) open(t *testing.T, size fyne.Size) fyne.Window {
	t.Helper()
	win := test.NewTempWindow(t, w.content)
	win.SetPadded(false)
	win.Resize(size)
	if w.load == nil {
		return win
	}
	// It asks on goroutines of its own, which draw, too, in the toolkit's test
	// driver; they have the label of the one that started them.
	loads++
	label := fmt.Sprintf("load-%d.", loads)
	pprof.Do(t.Context(), pprof.Labels("fit", label), func(context.Context) { w.load() })
	end := time.Now().Add(60 * time.Second)
	for asks := true; asks; {
		var running strings.Builder
		if err := pprof.Lookup("goroutine").WriteTo(&running, 1); err != nil {
			t.Fatal(err)
		}
		if asks = strings.Contains(running.String(), label); asks && time.Now().After(end) {
			t.Fatalf("%s is still asking", w.name)
		}
	}
	win.Resize(size.AddWidthHeight(0, 40)) // the toolkit's test driver lays out on a change of size only
	win.Resize(size)
	return win
}

// small is the least that there is to see a window in: a screen of 1024 by 600 at
// a scale of 200 %, less what a desktop keeps for itself.
var small = fyne.NewSize(512, 270)

// TestEveryWindow lays the windows out in every language, with ordinary and with
// very long names, as they open and on a small screen at 200 %.
func TestEveryWindow(t *testing.T) {
	for _, lang := range assets.Langs() {
		for what, names := range map[string][2]string{"": {"Ana Souza", "Example Support"}, ", long names": {longSupporter, longCompany}} {
			for _, on := range []fyne.Size{{}, small} {
				test.NewTempApp(t).Settings().SetTheme(theme.Aval{})
				for _, w := range windows(t, lang, names[0], names[1]) {
					size := w.size
					if !on.IsZero() {
						if w.fits {
							continue // it does so by itself
						}
						size = w.size.Min(on)
						if min := w.content.MinSize(); min.Width > on.Width || min.Height > on.Height {
							t.Errorf("%s, %s%s: needs %v, a small screen has %v", lang, w.name, what, min, on)
						}
					}
					w.open(t, size)
					for _, wrong := range Find(w.content, size) {
						t.Errorf("%s, %s%s, %v: %s", lang, w.name, what, size, wrong)
					}
				}
			}
		}
	}
}

// TestKeyboard walks through every window with Tab alone: it comes by all that
// takes keys, by each once before it begins anew, and what has the focus is in
// sight.
func TestKeyboard(t *testing.T) {
	for _, size := range []fyne.Size{{}, small} {
		test.NewTempApp(t).Settings().SetTheme(theme.Aval{})
		for _, w := range windows(t, "de", "Ana Souza", "Example Support") {
			if w.fits && !size.IsZero() {
				continue
			}
			at := w.size
			if !size.IsZero() {
				at = w.size.Min(size)
			}
			win := w.open(t, at)
			for _, wrong := range Walk(win.Canvas(), w.content, at) {
				t.Errorf("%s, %v: %s", w.name, at, wrong)
			}
		}
	}
}
