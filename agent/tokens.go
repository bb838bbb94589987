package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"aval/agent/ipc"
	"aval/agent/policy/source"
	"aval/agent/uplink"
	"aval/agent/wire"
)

// The waiting between two attempts to enrol with a token file; each is drawn out
// by up to a half, so that a whole company's computers do not come at once.
const (
	tokenFirst = time.Second
	tokenMost  = 5 * time.Minute
)

// tokens enrols this computer with the token files that device management lays
// into a folder, before or after the service is there. Its own goroutine owns it.
type tokens struct {
	a     *Agent
	in    source.DropIn
	spent []source.Dropped // that the server refused, as they were then
}

// watchTokens watches the folder for token files.
func (a *Agent) watchTokens() {
	if a.cfg.TokenDir == "" {
		return
	}
	t := &tokens{a: a, in: source.DropIn{Dir: a.cfg.TokenDir, Own: os.Geteuid() != 0, Log: a.log}}
	looks := make(chan struct{}, 1)
	a.work.Go(func() {
		err := t.in.Watch(a.ctx, func() {
			select {
			case looks <- struct{}{}:
			default: // one is due already
			}
		})
		if err != nil && a.ctx.Err() == nil {
			t.say("Token files in " + t.in.Dir + " are not noticed: " + err.Error() + ". Use aval enroll --token-file FILE.")
		}
	})
	a.work.Go(func() { t.run(looks) })
}

func (t *tokens) run(looks <-chan struct{}) {
	again := time.NewTimer(time.Hour)
	again.Stop()
	defer again.Stop()
	wait := tokenFirst
	for {
		select {
		case <-t.a.ctx.Done():
			return
		case <-looks:
			wait = tokenFirst
		case <-again.C:
		}
		again.Stop()
		if t.look() {
			again.Reset(wait + rand.N(wait/2))
			wait = min(2*wait, tokenMost)
		}
	}
}

// look uses the first token file that enrols this computer, and tells whether
// trying again later may help.
func (t *tokens) look() (later bool) {
	files, err := t.in.Read()
	if err != nil {
		t.say("A token file cannot be used: " + err.Error() + ".")
		return false
	}
	why := ""
	for _, f := range files {
		if t.refused(f) {
			continue
		}
		token, err := wire.ParseTokenFile(f.Raw)
		if err == nil && token.Server == "" {
			err = errors.New("it names no server")
		}
		if err != nil {
			why = fmt.Sprintf("%s cannot be used: %s.", f.Path, err)
			continue
		}
		done, err := t.use(f, token)
		var no *uplink.Refusal
		var elsewhere errElsewhere
		switch {
		case done:
			t.say("")
			return false
		case errors.As(err, &no):
			t.spent = append(t.spent, f)
			why = fmt.Sprintf("The company's server refused %s: %s", f.Path, no.Sentence)
		case errors.As(err, &elsewhere):
			why = elsewhere.sentence + "."
		case err != nil:
			later = true
			why = fmt.Sprintf("This computer is not enrolled yet, and it is tried again: %s.", err)
		}
	}
	if why != "" || len(files) == 0 {
		t.say(why)
	}
	return later
}

// errElsewhere: this computer belongs to another company, and stays there.
type errElsewhere struct{ sentence string }

func (e errElsewhere) Error() string { return e.sentence }

// refused tells whether a file's token was refused. That stays so until it changes.
func (t *tokens) refused(f source.Dropped) bool {
	return slices.ContainsFunc(t.spent, func(s source.Dropped) bool { return s.Path == f.Path && string(s.Raw) == string(f.Raw) })
}

// use enrols this computer with a token, and removes the file: also where this
// computer is enrolled there already, for then the token is spent or somebody
// else's.
func (t *tokens) use(f source.Dropped, token wire.TokenFile) (done bool, err error) {
	ctx, cancel := context.WithTimeout(t.a.ctx, time.Minute)
	defer cancel()
	_, err = t.a.enroll(ctx, ipc.Enroll{Server: token.Server, Pin: token.Pin, Token: token.Token})
	var taken *ipc.Error
	if errors.As(err, &taken) && taken.Code == ipc.CodeConflict {
		same := false
		if err := t.a.do(ctx, func() { same = t.a.company != nil && t.a.company.Account == nil && t.a.company.Server == token.Server }); err != nil {
			return false, err
		}
		if !same {
			return false, errElsewhere{fmt.Sprintf("%s is for another server, or another use of it, and %s: %s", f.Path, taken.Message, taken.Hint)}
		}
		err = nil
	}
	if err != nil {
		return false, err
	}
	if err := t.in.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.a.log.Warn("remove token file", "file", f.Path, "err", err)
		t.a.post(func() {
			t.a.notes = appendNote(t.a.notes, "The token file "+f.Path+" has been used and could not be removed; remove it. It enrols no other computer.")
		})
		t.spent = append(t.spent, f)
	}
	return true, nil
}

// say keeps what the status tells of token files; empty: nothing.
func (t *tokens) say(note string) {
	t.a.post(func() {
		if t.a.tokens != note && note != "" {
			t.a.log.Warn("token file", "note", note)
		}
		t.a.tokens = note
	})
}
