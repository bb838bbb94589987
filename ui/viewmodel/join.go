package viewmodel

import (
	"errors"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
)

// joinKeys are the sentences for why a session code could not be used.
var joinKeys = map[string]string{
	ipc.WhyBad: "app.code.bad", ipc.WhyUnknown: "app.code.unknown", ipc.WhyUsed: "app.code.used", ipc.WhyExpired: "app.code.expired",
	ipc.WhyTries: "app.code.tries", ipc.WhyServer: "app.code.server", ipc.WhyDenied: "app.code.denied", ipc.WhyManaged: "app.code.managed",
	ipc.WhyImpostor: "app.code.impostor",
}

// Joined says what became of a session code. done: it was taken.
func Joined(cat *assets.Catalog, r ipc.SessionBeginResult, err error) (text string, done bool) {
	var no *ipc.Error
	switch {
	case errors.As(err, &no) && joinKeys[no.Why] != "":
		return cat.T(joinKeys[no.Why], nil), false
	case err != nil:
		return cat.T("app.code.failed", nil), false
	case r.Outcome == consent.OutcomeAsking:
		return cat.T("app.code.asking", nil), true
	case r.Outcome == consent.OutcomeAllowed:
		return cat.T("app.code.allowed", nil), true
	}
	return cat.T("app.code.nothing", nil), true
}
