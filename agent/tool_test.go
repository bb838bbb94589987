package agent_test

import (
	"errors"
	"strings"
	"testing"

	"aval/agent/event"
	"aval/agent/ipc"
)

// TestToolFields: what a tool reports is held against the vocabulary before it is
// recorded. A number is not redacted, so a text that stands for one is refused.
// Take Number from the field size, or the look at Bare away, and its lines fail.
func TestToolFields(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	r.sit(":77", says(true))
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	for _, tt := range []struct {
		kind   event.Kind
		fields map[string]string
		says   string // in the refusal; empty: it is recorded
	}{
		{event.FileTransferred, map[string]string{"name": "a.pdf", "size": "1024"}, ""},
		{event.FileTransferred, map[string]string{"name": "a.pdf", "size": "0"}, ""},
		{event.FileTransferred, map[string]string{"name": "a.pdf", "size": ""}, ""},
		{event.FileTransferred, map[string]string{"name": "a.pdf", "size": "a senha"}, "size is a whole number"},
		{event.FileTransferred, map[string]string{"name": "a.pdf", "size": "-5"}, "size is a whole number"},
		{event.FileTransferred, map[string]string{"name": "a.pdf", "size": "1 024"}, "size is a whole number"},
		{event.FileTransferred, map[string]string{"name": "a.pdf", "size": "1.5"}, "size is a whole number"},
		{event.FileTransferred, map[string]string{"name": "a.pdf", "size": "１２"}, "size is a whole number"},
		{event.FileTransferred, map[string]string{"name": "a.pdf", "size": strings.Repeat("9", 21)}, "size is a whole number"},
		{event.FileTransferred, map[string]string{"name": "a.pdf", "direction": "up"}, "to-computer or from-computer"},
		{event.FileTransferred, map[string]string{"direction": "to-computer"}, `needs the field "name"`},
		{event.Note, map[string]string{"text": "n", "from": "person"}, `no field "from"`},
		{event.CommandRun, map[string]string{"program": "ls", "command": "ls -l"}, ""},
		{event.CommandEnded, map[string]string{"program": "ls", "seconds": "3"}, ""},
		{event.CommandEnded, map[string]string{"program": "ls", "status": "hunter2"}, "by the system alone"},
		{event.DeviceAttached, map[string]string{"class": "hunter2"}, "by the system alone"},
		{event.Gap, map[string]string{"reason": "paused"}, "that can be reported"},
	} {
		res, err := call[ipc.SessionEventResult](r, c, ipc.MethodSessionEvent, ipc.SessionEvent{ID: "1", Kind: tt.kind, Fields: tt.fields})
		switch {
		case tt.says == "" && (err != nil || !res.Recorded):
			t.Errorf("%s %q: %+v, %v", tt.kind, tt.fields, res, err)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
			t.Errorf("%s %q: %+v, %v", tt.kind, tt.fields, res, err)
		}
	}
}

// TestSameID: an id that sessions of two tools have names neither; the answer names
// both. Let errNoSession speak of none at all, and it fails.
func TestSameID(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	r.sit(":77", says(true))
	for _, tool := range []string{"one", "two"} {
		r.begin(c, ipc.SessionBegin{Tool: tool, ID: "7", Hold: true})
	}
	for what, err := range map[string]error{
		"event": func() error {
			_, err := call[ipc.SessionEventResult](r, c, ipc.MethodSessionEvent, ipc.SessionEvent{ID: "7", Kind: event.Note, Fields: map[string]string{"text": "n"}})
			return err
		}(),
		"end": func() error {
			_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "7"})
			return err
		}(),
	} {
		var no *ipc.Error
		if !errors.As(err, &no) || no.Code != ipc.CodeConflict || !strings.Contains(no.Hint, "one/7, two/7") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "two/7"}); err != nil {
		t.Error(err)
	}
	if _, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "7"}); err != nil { // the other alone
		t.Error(err)
	}
}
