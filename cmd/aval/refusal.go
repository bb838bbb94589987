package main

import (
	"context"
	"time"

	"aval/agent/module"
	"aval/agent/prompt/launch"
	"aval/agent/prompt/native"
	"aval/assets"
	"aval/ui/viewmodel"
)

// showRefusal tells a person who reads no terminal why a module was not started: in
// Aval's window, or by the desktop's own dialog where that cannot be shown. It returns
// when they have closed it. Where there is neither, nothing can be told.
func showRefusal(ctx context.Context, err error) {
	why, day, tell := module.Reason(err)
	if !tell {
		return
	}
	if path, err := launch.Find("aval-ui"); err == nil {
		args := []string{"refused", "--why", why}
		if !day.IsZero() {
			args = append(args, "--day", day.Local().Format(time.DateOnly))
		}
		if p, err := launch.Start(ctx, launch.Program{Path: path, Args: args}); err == nil {
			<-p.Done()
			if p.Exit().Code == exitDone {
				return
			}
		}
	}
	tool, err := native.Find()
	if err != nil {
		return
	}
	cat := assets.For(assets.Locale())
	r := viewmodel.NewRefusal(cat, why, day)
	_ = tool.Tell(ctx, cat.T("app.name", nil), r.Title+"\n\n"+r.Text+"\n\n"+r.Nothing, r.Close) // there is nobody else to tell
}
