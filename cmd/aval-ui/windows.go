package main

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"time"

	"fyne.io/fyne/v2"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/activityview"
	"aval/ui/consentview"
	"aval/ui/control"
	"aval/ui/mainview"
	"aval/ui/settingsview"
)

// shell is the window of a process with what all of them need: it follows the
// service's changes, and is composed anew when the language changes.
type shell struct {
	o   options
	app fyne.App
	win fyne.Window
	// lang is the person's own choice; empty: none.
	lang string
	cat  *assets.Catalog
	// compose fills the window in cat; changed brings it up to date.
	compose func()
	changed func([]ipc.What)
	// shown is called once the window is on the screen, painted and with nothing in
	// front, beside everything else; nil: nothing is to be done.
	shown func()
}

func newShell(o options) (*shell, error) {
	if _, err := consentview.Probe(); err != nil {
		return nil, err
	}
	s := &shell{o: o, app: newApp()}
	ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
	defer cancel()
	var set ipc.SettingsResult
	if s.call(ctx, ipc.MethodSettingsGet, ipc.Empty{}, &set) == nil { // without the service: the desktop's language
		s.lang = set.Language
	}
	s.cat = readable(s.lang, o.locale)
	s.win = s.app.NewWindow(s.cat.T("app.name", nil))
	return s, nil
}

// call asks the service on a connection of its own.
func (s *shell) call(ctx context.Context, m ipc.Method, params, result any) error {
	return caller(s.o.socket)(ctx, m, params, result)
}

var hello = ipc.Hello{Program: "aval-ui", Build: version}

// speak takes the person's choice of language; the window is composed anew where
// it is another one.
func (s *shell) speak(lang string) {
	s.lang = lang
	if cat := readable(lang, s.o.locale); cat.Lang != s.cat.Lang {
		s.cat = cat
		s.compose()
		s.changed(nil)
	}
}

// run shows the window until it is closed.
func (s *shell) run(size fyne.Size) {
	s.compose()
	s.win.Resize(size)
	s.win.CenterOnScreen()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.app.Lifecycle().SetOnStarted(func() {
		s.changed(nil)
		go ipc.Follow(ctx, s.o.socket, hello, uint32(control.Handle(s.win)), func(what []ipc.What) {
			if slices.Contains(what, ipc.WhatSettings) {
				s.follow(ctx)
			}
			fyne.Do(func() { s.changed(what) })
		})
	})
	s.win.Show()
	visible.Store(true) // a window that cannot be made panics above
	if s.shown != nil {
		s.whenSeen(ctx)
	}
	s.app.Run()
}

// whenSeen calls shown once the window can be seen. What cannot be watched is not
// reported: it is shown once more then.
func (s *shell) whenSeen(ctx context.Context) {
	wait, err := consentview.Seen(s.win)
	if err != nil {
		fyne.LogError("watch the window", err)
		return
	}
	go func() {
		if wait(ctx) == nil {
			s.shown()
		}
	}()
}

// follow looks whether another language was chosen.
func (s *shell) follow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	var set ipc.SettingsResult
	if s.call(ctx, ipc.MethodSettingsGet, ipc.Empty{}, &set) == nil {
		fyne.Do(func() { s.speak(set.Language) })
	}
}

// showMain shows the main window or, with settingsFirst, the settings, which
// the main window also leads to: both in one window.
func showMain(o options, settingsFirst bool) error {
	s, err := newShell(o)
	if err != nil {
		return err
	}
	var main *mainview.View
	var settings *settingsview.View // nil: the main window is shown
	page, back := settingsview.PageHome, func() {}
	if settingsFirst {
		page, back = settingsview.PageInsights, nil
	} else { // opened by hand, it need not open by itself
		ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
		_ = s.call(ctx, ipc.MethodWelcome, ipc.Empty{}, nil)
		cancel()
	}
	toMain := func() {
		settings = nil
		main = mainview.New(mainview.Config{Catalog: s.cat, Version: version, Zone: time.Local, Ask: s.now,
			Settings: func() {
				page = settingsview.PageHome
				settings = nil
				s.openSettings(&settings, page, back)
				s.changed(nil)
			},
			Activity: s.openActivity, Join: s.join, Code: s.o.code, Open: s.open})
		s.win.SetTitle(s.cat.T("app.name", nil))
		s.win.SetContent(main.Content())
	}
	if !settingsFirst {
		back = func() { toMain(); s.changed(nil) }
	}
	s.compose = func() {
		switch {
		case settings != nil:
			s.openSettings(&settings, settings.Page(), back)
		case settingsFirst:
			s.openSettings(&settings, page, back)
		default:
			toMain()
		}
	}
	s.changed = func([]ipc.What) {
		if settings != nil {
			settings.Refresh()
		} else {
			main.Refresh()
		}
	}
	if s.o.code != "" {
		s.shown = func() { fyne.Do(main.FocusCode) }
	}
	s.run(fyne.NewSize(560, 580))
	return nil
}

// join has the service redeem a session code. The window has no further use of it.
func (s *shell) join(ctx context.Context, code string) (r ipc.SessionBeginResult, err error) {
	s.o.code = ""
	err = s.call(ctx, ipc.MethodSessionJoin, ipc.SessionJoin{Code: code}, &r)
	return r, err
}

// open has the service of a module open a session. It ends with the process.
func (s *shell) open(ctx context.Context) error {
	var r ipc.SessionBeginResult
	return s.call(ctx, ipc.MethodSessionOpen, ipc.SessionOpen{}, &r)
}

func (s *shell) openSettings(view **settingsview.View, page settingsview.Page, back func()) {
	v := settingsview.New(settingsview.Config{Catalog: s.cat, Zone: time.Local, Call: s.call, Accounts: accounts{s.o.socket}, Locale: s.o.locale,
		Page: page, Back: back, Language: s.speak})
	*view = v
	s.win.SetTitle(s.cat.T("settings.title", nil) + " · " + s.cat.T("app.name", nil))
	s.win.SetContent(v.Content())
}

// accounts signs the person in and out, each time on a connection of its own.
type accounts struct{ socket string }

// SignIn implements control.Accounts.
func (a accounts) SignIn(ctx context.Context, server string, code func(ipc.SignInCode)) (ipc.SignInResult, error) {
	c, err := ipc.Dial(ctx, a.socket, hello)
	if err != nil {
		return ipc.SignInResult{}, err
	}
	return c.SignIn(ctx, ipc.SignIn{Server: server}, code)
}

// SignOut implements control.Accounts.
func (a accounts) SignOut(ctx context.Context) error {
	return caller(a.socket)(ctx, ipc.MethodSignOut, ipc.Empty{}, nil)
}

// now is what the main window shows.
func (s *shell) now(ctx context.Context) (now mainview.Now, err error) {
	if err = s.call(ctx, ipc.MethodStatus, ipc.Empty{}, &now.Status); err == nil {
		err = s.call(ctx, ipc.MethodSessionList, ipc.Empty{}, &now.Sessions)
	}
	return now, err
}

// openActivity opens the activity in a window of its own: a process has one.
func (s *shell) openActivity() {
	self, err := os.Executable()
	if err != nil {
		fyne.LogError("open activity", err)
		return
	}
	cmd := exec.Command(self, "activity", "--socket", s.o.socket, "--locale", s.o.locale)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		fyne.LogError("open activity", err)
		return
	}
	go func() { _ = cmd.Wait() }()
}

func showActivity(o options) error {
	s, err := newShell(o)
	if err != nil {
		return err
	}
	var view *activityview.View
	session := o.session
	s.compose = func() {
		if view != nil {
			session = view.Session()
		}
		view = activityview.New(activityview.Config{
			Catalog: s.cat, Session: session, Now: time.Now,
			Dial: func(ctx context.Context) (activityview.Service, error) { return ipc.Dial(ctx, s.o.socket, hello) },
			Save: saveNew, Print: printer(),
		})
		s.win.SetTitle(s.cat.T("activity.title", nil) + " · " + s.cat.T("app.name", nil))
		s.win.SetContent(view.Content())
	}
	s.changed = func(what []ipc.What) { view.Changed(what) }
	s.run(fyne.NewSize(960, 540))
	return nil
}
