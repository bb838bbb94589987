package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"aval/agent/ipc"
	"aval/agent/prompt/native"
	"aval/assets"
	"aval/ui/settingslist"
)

// caller makes requests to the service, each on a connection of its own.
func caller(socket string) func(context.Context, ipc.Method, any, any) error {
	return func(ctx context.Context, m ipc.Method, params, result any) error {
		service, err := ipc.Dial(ctx, socket, hello)
		if err != nil {
			return err
		}
		defer service.Close()
		return service.Call(ctx, m, params, result)
	}
}

// listSettings shows the choice for Session Insights by the desktop's own dialog,
// for where the window cannot be shown.
func listSettings(o options) error {
	tool, err := native.Find()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var set ipc.SettingsResult
	asked, cancel := context.WithTimeout(ctx, dialWithin)
	_ = caller(o.socket)(asked, ipc.MethodSettingsGet, ipc.Empty{}, &set) // without the service: the desktop's language
	cancel()
	return settingslist.Run(ctx, assets.For(set.Language, o.locale), time.Local, caller(o.socket), tool)
}
