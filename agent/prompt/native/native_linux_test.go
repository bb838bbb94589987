package native

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"aval/agent/prompt/launch"
	"aval/agent/x11/xtest"
)

var question = Dialog{
	Title: "Permitir um resumo desta sessão?",
	Text: "Example Support <b>quer</b> &amp; <a href=\"x\">registrar</a> o que for feito \\n nesta sessão.\n\n" +
		"Será registrado: programas e títulos das janelas; comandos executados; conversa com o suporte.\n" +
		"Não será registrado: o que você digita; imagens da tela; senhas e dados de cartão.\n\n" +
		"Se você não permitir, o suporte continua normalmente. Você pode parar e apagar a qualquer momento.\n" +
		"Sem resposta em 30 s: não será registrado.",
	Yes: "Permitir acesso",
	No:  "Não permitir",
}

func TestArgsHoldTextOnly(t *testing.T) {
	d := question
	d.Yes, d.Title = "--evil\nsecond", "a\nb"
	z := Tool{Name: "zenity"}.args(d)
	for _, a := range z {
		if strings.HasPrefix(a, "--evil") {
			t.Errorf("a text became an option: %q", a)
		}
	}
	if !strings.Contains(strings.Join(z, " "), "--no-wrap --default-cancel") {
		t.Errorf("%q", z)
	}
	k := strings.Join(Tool{Name: "kdialog"}.args(d), "\x00")
	if strings.Contains(k, "<b>") || strings.Contains(k, `\`) {
		t.Errorf("markup in %q", k)
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		tool string
		code int
		out  string
		want Answer
		err  bool
	}{
		{"zenity", 0, "", Yes, false}, {"zenity", 1, "", No, false}, {"zenity", 5, "", None, false},
		{"zenity", -1, "", None, true}, {"zenity", 255, "", None, true}, {"zenity", 2, "", None, true},
		{"kdialog", 0, "yes\n", Yes, false}, {"kdialog", 0, "warning\nyes\n", Yes, false},
		{"kdialog", 0, "no\n", No, false}, {"kdialog", 0, "", None, true},
		{"kdialog", 1, "yes\n", No, false}, {"kdialog", 2, "", No, false},
		{"kdialog", 134, "yes\n", None, true}, {"kdialog", -1, "yes\n", None, true},
	} {
		got, err := Tool{Name: c.tool}.answer(c.code, c.out)
		if got != c.want || (err != nil) != c.err {
			t.Errorf("%s %d %q: %v %v", c.tool, c.code, c.out, got, err)
		}
	}
}

// asked runs Ask on a display of its own, and hands the person's part to do.
type asked struct {
	s     *xtest.Server
	shown chan struct{}
	got   chan struct {
		a   Answer
		err error
	}
	cancel context.CancelFunc
}

func ask(t *testing.T, tool Tool, answerFor time.Duration) *asked {
	t.Helper()
	if _, err := os.Stat(tool.Path); err != nil {
		t.Skipf("%s is not installed", tool.Path)
	}
	s := xtest.Start(t, xtest.Options{WM: true})
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	t.Setenv("DISPLAY", s.Display)
	a := &asked{s: s, shown: make(chan struct{}, 1), cancel: cancel, got: make(chan struct {
		a   Answer
		err error
	}, 1)}
	go func() {
		ans, err := tool.Ask(ctx, s.Display, question, func() (time.Time, error) {
			a.shown <- struct{}{}
			return time.Now().Add(answerFor), nil
		})
		a.got <- struct {
			a   Answer
			err error
		}{ans, err}
	}()
	select {
	case <-a.shown:
	case r := <-a.got:
		t.Fatalf("ended before it was shown: %v %v", r.a, r.err)
	case <-time.After(20 * time.Second):
		t.Fatal("never shown")
	}
	return a
}

// armed waits until answers count, by the clock: that is the rule under test.
func armed() { <-time.After(early + 300*time.Millisecond) }

func (a *asked) answer(t *testing.T, want Answer, wantErr error) {
	t.Helper()
	select {
	case r := <-a.got:
		if r.a != want || !errors.Is(r.err, wantErr) {
			t.Errorf("answer %v, error %v; want %v, %v", r.a, r.err, want, wantErr)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no end")
	}
	xtest.Wait(t, "the end of the dialog", func() bool { return a.window() == "" })
}

func (a *asked) window() string {
	out, _ := a.s.Try("xdotool", "search", "--onlyvisible", "--name", "Permitir um resumo")
	id, _, _ := strings.Cut(out, "\n")
	return id
}

var (
	zenity  = Tool{Name: "zenity", Path: "/usr/bin/zenity"}
	kdialog = Tool{Name: "kdialog", Path: "/usr/bin/kdialog"}
)

// Enter at once, without choosing, is a refusal: in both programs.
// Planted bug: leave out --default-cancel, and zenity's Enter allows.
func TestEnterRefuses(t *testing.T) {
	for _, tool := range []Tool{zenity, kdialog} {
		t.Run(tool.Name, func(t *testing.T) {
			a := ask(t, tool, time.Minute)
			armed()
			a.s.Shot(t, "native-"+tool.Name)
			a.s.Run(t, "xdotool", "key", "Return")
			a.answer(t, No, nil)
		})
	}
}

// In a locale that is not installed, or none, the texts arrive all the same.
// Planted bug: leave LC_ALL and CHARSET out of the environment.
func TestAnyLocale(t *testing.T) {
	for _, locale := range []string{"C", "xx_XX.UTF-8", ""} {
		t.Setenv("LC_ALL", locale)
		t.Setenv("LANG", locale)
		for _, tool := range []Tool{zenity, kdialog} {
			a := ask(t, tool, time.Minute)
			title, err := a.s.Try("xdotool", "getwindowname", a.window())
			if err != nil || !strings.HasPrefix(title, question.Title) {
				t.Errorf("%s in %q: %q %v", tool.Name, locale, title, err)
			}
			a.s.Shot(t, "native-locale-"+tool.Name+locale)
			a.cancel()
			a.answer(t, None, context.Canceled)
		}
	}
}

func TestEscRefuses(t *testing.T) {
	for _, tool := range []Tool{zenity, kdialog} {
		t.Run(tool.Name, func(t *testing.T) {
			a := ask(t, tool, time.Minute)
			armed()
			a.s.Run(t, "xdotool", "key", "Escape")
			a.answer(t, No, nil)
		})
	}
}

func TestYes(t *testing.T) {
	keys := map[string][]string{"zenity": {"Tab", "Return"}, "kdialog": {"Down", "Return"}}
	for _, tool := range []Tool{zenity, kdialog} {
		t.Run(tool.Name, func(t *testing.T) {
			a := ask(t, tool, time.Minute)
			armed()
			a.s.Run(t, "xdotool", append([]string{"key", "--delay", "150"}, keys[tool.Name]...)...)
			a.answer(t, Yes, nil)
		})
	}
}

// A yes within 1.5 s is asked once more, and a second one is a No.
// Planted bug: let tooEarly return false, and the first one allows.
func TestEarlyYes(t *testing.T) {
	slow := zenity
	slow.doubt = 10 * time.Second // so that a busy computer is still early
	a := ask(t, slow, time.Minute)
	first := a.window()
	firstPID := a.s.Run(t, "xdotool", "getwindowpid", first)
	a.s.Run(t, "xdotool", "windowactivate", "--sync", first, "key", "--delay", "60", "Tab", "Return")
	xtest.Wait(t, "the second dialog", func() bool {
		w := a.window() // its number may be the same again, its process is not
		pid, err := a.s.Try("xdotool", "getwindowpid", w)
		return w != "" && err == nil && pid != firstPID
	})
	a.s.Run(t, "xdotool", "windowactivate", "--sync", a.window(), "key", "--delay", "60", "Tab", "Return")
	a.answer(t, No, nil)
}

func TestSilence(t *testing.T) {
	a := ask(t, zenity, 2*time.Second)
	a.answer(t, None, nil)
}

func TestClosedByUs(t *testing.T) {
	a := ask(t, zenity, time.Minute)
	a.cancel()
	a.answer(t, None, context.Canceled)
}

// The window's connection is cut by somebody else: that is never a yes.
func TestKilledWindow(t *testing.T) {
	for _, tool := range []Tool{zenity, kdialog} {
		t.Run(tool.Name, func(t *testing.T) {
			a := ask(t, tool, time.Minute)
			armed()
			a.s.Run(t, "xdotool", "windowkill", a.window())
			select {
			case r := <-a.got:
				if r.a == Yes {
					t.Errorf("a killed dialog said yes: %v", r.err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("no end")
			}
		})
	}
}

// A program that shows nothing is not a question that was asked.
func TestNoWindow(t *testing.T) {
	s := xtest.Start(t, xtest.Options{})
	t.Setenv("DISPLAY", s.Display)
	for _, path := range []string{"/bin/true", "/bin/false", "/no/such/zenity"} {
		a, err := Tool{Name: "zenity", Path: path}.Ask(t.Context(), s.Display, question, func() (time.Time, error) {
			t.Error("reported as shown")
			return time.Time{}, nil
		})
		if a != None || !errors.Is(err, ErrNoWindow) {
			t.Errorf("%s: %v %v", path, a, err)
		}
	}
	if a, err := zenity.Ask(t.Context(), ":9999", question, nil); a != None || !errors.Is(err, ErrNoWindow) {
		t.Errorf("no display: %v %v", a, err)
	}
}

func TestFind(t *testing.T) {
	tool, err := Find()
	if err != nil && !errors.Is(err, launch.ErrNotInstalled) {
		t.Fatal(err)
	}
	if err == nil && (tool.Name == "" || !strings.HasPrefix(tool.Path, "/usr/bin/")) {
		t.Errorf("%+v", tool)
	}
}
