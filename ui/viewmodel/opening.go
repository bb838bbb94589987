package viewmodel

import (
	"errors"
	"time"

	"aval/agent/ipc"
	"aval/assets"
)

// openingKeys are the sentences for why no session came of an opened module.
var openingKeys = map[string]string{
	ipc.WhyExpired: "app.opening.expired", ipc.WhyRefused: "app.opening.refused", ipc.WhyTries: "app.opening.tries", ipc.WhyServer: "app.opening.server",
	ipc.WhyDenied: "app.opening.denied", ipc.WhyModule: "app.opening.module",
}

// Opening is what a window shows of a session that a module has opened.
type Opening struct {
	Number string // as it is read out; empty: nothing waits
	Head   string // above the number
	Text   string // beneath it, or what became of the last one; empty: nothing
	Act    string // what the button says that asks for a number; empty: there is none
}

// NewOpening puts into words what waits for the support in a module; times are those
// of zone. The zero value where there is nothing to show: it is no module, or
// a session is open.
func NewOpening(s ipc.Status, cat *assets.Catalog, zone *time.Location) Opening {
	switch o := s.Opening; {
	case s.Module == nil || o == nil && s.Sessions > 0:
		return Opening{}
	case o == nil:
		return Opening{Act: cat.T("app.opening.get", nil)}
	case o.Why != "":
		return Opening{Text: whyNotOpened(cat, o.Why), Act: cat.T("app.opening.again", nil)}
	default:
		return Opening{Number: Number(o.Number), Head: cat.T("app.opening.head", nil),
			Text: cat.T("app.opening.wait", assets.Args{"time": o.Until.In(zone).Format("15:04")})}
	}
}

// NotOpened says why a module could not open a session.
func NotOpened(cat *assets.Catalog, err error) string {
	var no *ipc.Error
	if errors.As(err, &no) {
		return whyNotOpened(cat, no.Why)
	}
	return whyNotOpened(cat, "")
}

func whyNotOpened(cat *assets.Catalog, why string) string {
	if key := openingKeys[why]; key != "" {
		return cat.T(key, nil)
	}
	return cat.T("app.opening.failed", nil)
}

// Number is an opening's number as people read it out: in two halves.
func Number(s string) string {
	s = Clean(s, 20)
	if len(s) != 6 {
		return s
	}
	return s[:3] + " " + s[3:]
}

// Refusal is a window that says why a module was not started.
type Refusal struct {
	Title, Text, Nothing, Close string
}

// RefusalWords are the reasons that NewRefusal has sentences for.
var RefusalWords = []string{ipc.WhyChanged, ipc.WhyExpired, ipc.WhyClock, ipc.WhyImpostor, ipc.WhyModule, ipc.WhyInstalled, ipc.WhyServer, ipc.WhyBad}

// refusalKeys are their sentences.
var refusalKeys = map[string]string{
	ipc.WhyChanged: "app.refusal.changed", ipc.WhyExpired: "app.refusal.expired", ipc.WhyClock: "app.refusal.clock", ipc.WhyImpostor: "app.refusal.foreign",
	ipc.WhyModule: "app.refusal.module", ipc.WhyInstalled: "app.refusal.installed", ipc.WhyServer: "app.refusal.server", ipc.WhyBad: "app.refusal.unreadable",
}

// NewRefusal puts a reason into words; day is the module's, where the reason has one.
func NewRefusal(cat *assets.Catalog, why string, day time.Time) Refusal {
	key := refusalKeys[why]
	if key == "" || day.IsZero() && (why == ipc.WhyExpired || why == ipc.WhyClock) {
		key = "app.refusal.failed"
	}
	return Refusal{Title: cat.T("app.refusal.title", nil), Text: cat.T(key, assets.Args{"date": day.Format(time.DateOnly)}),
		Nothing: cat.T("app.refusal.nothing", nil), Close: cat.T("app.refusal.close", nil)}
}
