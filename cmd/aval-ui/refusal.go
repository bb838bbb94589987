package main

import (
	"aval/ui/consentview"
	"aval/ui/refusalview"
	"aval/ui/viewmodel"
)

// showRefusal says why a support file was not started. There is no service to ask.
func showRefusal(o options) error {
	if _, err := consentview.Probe(); err != nil {
		return err
	}
	app := newApp()
	cat := readable("", o.locale)
	r := viewmodel.NewRefusal(cat, o.why, o.day)
	win := app.NewWindow(r.Title + " · " + cat.T("app.name", nil))
	view := refusalview.New(r, win.Close)
	win.SetContent(view.Content())
	win.Canvas().SetOnTypedKey(view.Key)
	win.Resize(view.Size())
	win.CenterOnScreen()
	win.Show()
	visible.Store(true) // a window that cannot be made panics above
	app.Run()
	return nil
}
