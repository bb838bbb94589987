package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/consentview"
	"aval/ui/theme"
)

// How long a process may live whose window nobody sees. The toolkit may hang in
// a broken graphics driver, where nothing else ends it. For the main window the
// toolkit reads the system's fonts, which may take a while the first time.
const (
	questionVisibleWithin = 4 * time.Second
	mainVisibleWithin     = 30 * time.Second
)

// dialWithin bounds connecting and saying hello.
const dialWithin = 2 * time.Second

// visible is set once the window can be seen.
var visible atomic.Bool

// guarded runs show. The toolkit panics where it finds no display or no OpenGL
// (fyne 2.8.1, internal/driver/glfw); before the window was seen that means:
// ask in another way.
func guarded(within time.Duration, show func() error) (err error) {
	watchdog := time.AfterFunc(within, func() {
		if !visible.Load() {
			fmt.Fprintf(os.Stderr, "aval-ui: %v: nothing was visible within %v\n", consentview.ErrCannotShow, within)
			os.Exit(exitCannotShow)
		}
	})
	defer watchdog.Stop()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the window toolkit broke: %v", p)
			if !visible.Load() {
				err = fmt.Errorf("%w: %w", consentview.ErrCannotShow, err)
			}
		}
	}()
	return show()
}

// quitWithin is how long the toolkit may take to end by itself when told to.
const quitWithin = time.Second

// endOnSignal makes sure that the process ends when it is told to: the toolkit
// asks its own loop to quit (fyne 2.8.1, internal/driver/glfw catchTerm), which a
// stuck driver never does.
func endOnSignal() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-told
		time.AfterFunc(quitWithin, func() { os.Exit(exitFailed) })
	}()
}

func newApp() fyne.App {
	endOnSignal()
	a := app.NewWithID("aval.Aval")
	a.Settings().SetTheme(theme.Aval{})
	a.SetIcon(fyne.NewStaticResource("aval-64.png", assets.Icon(64)))
	return a
}

func dial(socket string) (*ipc.Client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
	defer cancel()
	return ipc.Dial(ctx, socket, ipc.Hello{Program: "aval-ui", Build: version})
}

func showConsent(o options, log *slog.Logger) error {
	nonce, err := readNonce()
	if err != nil {
		return err
	}
	screen, err := consentview.Probe()
	if err != nil {
		return err
	}
	service, err := dial(o.socket)
	if err != nil {
		return err
	}
	defer service.Close()
	var question ipc.Question
	ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
	err = service.Call(ctx, ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: o.question, Nonce: nonce}, &question)
	cancel()
	if err != nil {
		return fmt.Errorf("claim the question: %w", err)
	}
	return consentview.Run(context.Background(), consentview.Config{
		App: newApp(), Service: service, Question: question, Locale: o.locale, Last: o.last,
		Screen: screen, Log: log, OnShown: func() { visible.Store(true) },
		OnView: func() { viewRecord(o, question.Session, log) },
	})
}

// viewRecord opens the activity window on a session, as a process of its own.
func viewRecord(o options, session string, log *slog.Logger) {
	self, err := os.Executable()
	if err == nil {
		cmd := exec.Command(self, "activity", "--session", session, "--socket", o.socket, "--locale", o.locale)
		if err = cmd.Start(); err == nil {
			go cmd.Wait()
			return
		}
	}
	log.Error("open the activity window", "err", err)
}

// readable is the catalogue of the first language that fits, or of English where
// no font of this computer has its characters.
func readable(locales ...string) *assets.Catalog {
	cat := assets.For(locales...)
	if theme.Speak(cat) != nil {
		return assets.For("en")
	}
	return cat
}
