package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/activityview"
	"aval/ui/consentview"
	"aval/ui/mainview"
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

func newApp() fyne.App {
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
		App: newApp(), Service: service, Question: question, Locale: o.locale,
		Screen: screen, Log: log, OnShown: func() { visible.Store(true) },
	})
}

func showMain(o options) error {
	if _, err := consentview.Probe(); err != nil {
		return err
	}
	a := newApp()
	cat := assets.For(o.locale)
	view := mainview.New(cat, version, func(ctx context.Context) (ipc.Status, error) {
		var status ipc.Status
		service, err := ipc.Dial(ctx, o.socket, ipc.Hello{Program: "aval-ui", Build: version})
		if err != nil {
			return status, err
		}
		defer service.Close()
		err = service.Call(ctx, ipc.MethodStatus, ipc.Empty{}, &status)
		return status, err
	})
	w := a.NewWindow(cat.T("app.name", nil))
	w.SetContent(view.Content())
	w.Resize(view.Size())
	w.CenterOnScreen()
	a.Lifecycle().SetOnStarted(view.Refresh)
	w.Show()
	visible.Store(true) // a window that cannot be made panics above
	a.Run()
	return nil
}

func showActivity(o options) error {
	if _, err := consentview.Probe(); err != nil {
		return err
	}
	a := newApp()
	cat := assets.For(o.locale)
	view := activityview.New(activityview.Config{
		Catalog: cat, Session: o.session, Now: time.Now,
		Dial: func(ctx context.Context) (activityview.Service, error) {
			return ipc.Dial(ctx, o.socket, ipc.Hello{Program: "aval-ui", Build: version})
		},
	})
	w := a.NewWindow(cat.T("activity.title", nil) + " · " + cat.T("app.name", nil))
	w.SetContent(view.Content())
	w.Resize(view.Size())
	w.CenterOnScreen()
	a.Lifecycle().SetOnStarted(view.Refresh)
	w.Show()
	visible.Store(true) // a window that cannot be made panics above
	a.Run()
	return nil
}
