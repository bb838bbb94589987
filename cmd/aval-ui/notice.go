package main

import (
	"context"
	"fmt"
	"os"

	"aval/agent/ipc"
	"aval/ui/noticeview"
	"aval/ui/settingsview"
	"aval/ui/viewmodel"
)

// showNotice tells of a session that a policy has recorded. The settings that it
// leads to take its place in the window.
func showNotice(o options) error {
	s, err := newShell(o)
	if err != nil {
		return err
	}
	within := func(m ipc.Method, params, result any) error {
		ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
		defer cancel()
		return s.call(ctx, m, params, result)
	}
	of := ipc.NoticeOf{Session: o.session}
	var n ipc.Notice
	if err := within(ipc.MethodNoticeGet, of, &n); err != nil {
		return fmt.Errorf("read the notice: %w", err)
	}
	s.cat = readable(append([]string{s.lang, o.locale}, n.Languages...)...)
	var settings *settingsview.View // nil: the notice is shown
	compose := func() *noticeview.View {
		notice := viewmodel.NewNotice(n, s.cat)
		view := noticeview.New(noticeview.Options{
			Notice: notice, Close: s.win.Close,
			Object: func() error {
				return within(ipc.MethodRecordingControl, ipc.RecordingControl{Session: o.session, Action: "object"}, nil)
			},
			Settings: func() {
				s.openSettings(&settings, settingsview.PageInsights, nil)
				s.win.Canvas().SetOnTypedKey(nil)
				s.win.Resize(settings.Size())
				settings.Refresh()
			},
		})
		s.win.SetTitle(notice.Title + " · " + s.cat.T("app.name", nil))
		s.win.SetContent(view.Content())
		s.win.Canvas().SetOnTypedKey(view.Key)
		return view
	}
	s.compose = func() {
		if settings != nil {
			s.openSettings(&settings, settings.Page(), nil)
		} else {
			compose()
		}
	}
	s.changed = func([]ipc.What) {
		if settings != nil {
			settings.Refresh()
		}
	}
	s.shown = func() {
		if err := within(ipc.MethodNoticeShown, of, nil); err != nil {
			fmt.Fprintf(os.Stderr, "aval-ui: report the notice as shown: %v\n", err)
		}
	}
	s.run(compose().Size())
	return nil
}
