package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/activityview"
	"aval/ui/consentview"
	"aval/ui/mainview"
	"aval/ui/noticeview"
	"aval/ui/settingsview"
	"aval/ui/theme"
	"aval/ui/viewmodel"
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
	})
}

// readable is the catalogue of the person's language, or of English where no font
// of this computer has its characters.
func readable(locales ...string) *assets.Catalog {
	cat := assets.For(locales...)
	if theme.Speak(cat) != nil {
		return assets.For("en")
	}
	return cat
}

// lookEvery is how often the settings window looks for changes made elsewhere.
const lookEvery = 3 * time.Second

// showMain shows the main window or, with settingsFirst, the settings, which
// the main window also leads to: both in one window.
func showMain(o options, settingsFirst bool) error {
	if _, err := consentview.Probe(); err != nil {
		return err
	}
	a := newApp()
	cat := readable(o.locale)
	call := caller(o.socket)
	w := a.NewWindow(cat.T("app.name", nil))
	leave := func() {} // ends what the settings do while they are shown
	settings := func(back func()) *settingsview.View {
		view := settingsview.New(cat, time.Local, call, back)
		ctx, cancel := context.WithCancel(context.Background())
		leave = cancel
		go view.Watch(ctx, lookEvery)
		w.SetTitle(cat.T("settings.title", nil) + " · " + cat.T("app.name", nil))
		w.SetContent(view.Content())
		return view
	}
	var main *mainview.View
	main = mainview.New(cat, version, func(ctx context.Context) (status ipc.Status, err error) {
		err = call(ctx, ipc.MethodStatus, ipc.Empty{}, &status)
		return status, err
	}, func() {
		settings(func() {
			leave()
			w.SetTitle(cat.T("app.name", nil))
			w.SetContent(main.Content())
			main.Refresh()
		}).Refresh()
	})
	size, refresh := main.Size(), main.Refresh
	if settingsFirst {
		view := settings(nil)
		size, refresh = view.Size(), view.Refresh
	} else {
		w.SetContent(main.Content())
	}
	w.Resize(size)
	w.CenterOnScreen()
	a.Lifecycle().SetOnStarted(refresh)
	w.Show()
	visible.Store(true) // a window that cannot be made panics above
	a.Run()
	leave()
	return nil
}

func showActivity(o options) error {
	if _, err := consentview.Probe(); err != nil {
		return err
	}
	a := newApp()
	cat := readable(o.locale)
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

// showNotice tells of a session that a policy has recorded. The settings that it
// leads to take its place in the window.
func showNotice(o options) error {
	if _, err := consentview.Probe(); err != nil {
		return err
	}
	call := func(ctx context.Context, m ipc.Method, params, result any) error {
		service, err := ipc.Dial(ctx, o.socket, ipc.Hello{Program: "aval-ui", Build: version})
		if err != nil {
			return err
		}
		defer service.Close()
		return service.Call(ctx, m, params, result)
	}
	within := func(m ipc.Method, params, result any) error {
		ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
		defer cancel()
		return call(ctx, m, params, result)
	}
	of := ipc.NoticeOf{Session: o.session}
	var n ipc.Notice
	if err := within(ipc.MethodNoticeGet, of, &n); err != nil {
		return fmt.Errorf("read the notice: %w", err)
	}
	a := newApp()
	cat := readable(append(n.Languages, o.locale)...)
	notice := viewmodel.NewNotice(n, cat)
	w := a.NewWindow(notice.Title + " · " + cat.T("app.name", nil))
	leave := func() {}
	view := noticeview.New(noticeview.Options{
		Notice: notice, Close: w.Close,
		Object: func() error {
			return within(ipc.MethodRecordingControl, ipc.RecordingControl{Session: o.session, Action: "object"}, nil)
		},
		Settings: func() {
			s := settingsview.New(cat, time.Local, call, nil)
			ctx, cancel := context.WithCancel(context.Background())
			leave = cancel
			go s.Watch(ctx, lookEvery)
			w.SetTitle(cat.T("settings.title", nil) + " · " + cat.T("app.name", nil))
			w.SetContent(s.Content())
			w.Resize(s.Size())
			s.Refresh()
		},
	})
	w.SetContent(view.Content())
	w.Canvas().SetOnTypedKey(view.Key)
	w.Resize(view.Size())
	w.CenterOnScreen()
	w.Show()
	visible.Store(true) // a window that cannot be made panics above
	go func() {
		if err := within(ipc.MethodNoticeShown, of, nil); err != nil {
			fmt.Fprintf(os.Stderr, "aval-ui: report the notice as shown: %v\n", err)
		}
	}()
	a.Run()
	leave()
	return nil
}
