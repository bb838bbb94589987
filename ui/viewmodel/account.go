package viewmodel

import (
	"errors"

	"aval/agent/ipc"
	"aval/assets"
)

// signInKeys are the sentences for why nobody was signed in.
var signInKeys = map[string]string{
	ipc.WhyBad: "settings.account.bad", ipc.WhyServer: "settings.account.server", ipc.WhyDenied: "settings.account.denied",
	ipc.WhyExpired: "settings.account.expired", ipc.WhyTries: "settings.account.tries", ipc.WhyManaged: "settings.account.managed",
	ipc.WhySupporter: "settings.account.supporter", ipc.WhyImpostor: "settings.account.impostor",
}

// SignedIn says what became of signing in to an account; given: the person gave up.
func SignedIn(cat *assets.Catalog, r ipc.SignInResult, err error, given bool) string {
	var no *ipc.Error
	switch {
	case err == nil:
		return cat.T("settings.account.done", assets.Args{"user": Clean(r.User, maxName)})
	case given:
		return cat.T("settings.account.cancelled", nil)
	case errors.As(err, &no) && signInKeys[no.Why] != "":
		return cat.T(signInKeys[no.Why], nil)
	}
	return cat.T("settings.account.failed", nil)
}
