package summary

import "time"

// Why is why the rules wrote a summary for which a model had been chosen.
type Why string

// The reasons. They are words of records and logs, and stay what they are.
const (
	// WhyGranted: the person was told of another engine, or of none.
	WhyGranted Why = "granted-otherwise"
	// WhyUnreachable: the model could not be asked, or did not answer.
	WhyUnreachable Why = "unreachable"
	// WhyRefused: the model's server does not take the request: key, model or
	// address are wrong, or it says that it will not answer this.
	WhyRefused Why = "refused"
	// WhyInvalid: what it answered is not what it was asked for.
	WhyInvalid Why = "invalid"
	// WhyUnsupported: too little of its answer was borne out by the events.
	WhyUnsupported Why = "unsupported"
)

// Failure is an engine's error after which the rules may write instead. Its text
// holds no words of the session: it is logged and shown.
type Failure struct {
	Why Why
	// Later: it may go better another time; After is how long the other side asked
	// to be left alone, 0 where it did not say.
	Later bool
	After time.Duration
	Err   error
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap is what happened.
func (f *Failure) Unwrap() error { return f.Err }
