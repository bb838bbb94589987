package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
)

// PlayDesktop is a program of the person's own user that plays aval-desktop and
// aval-ui over the socket: it registers for the display, takes the question that
// it is given, says that it was shown and allowed, and that a device in front of
// the display pressed. It returns an error as soon as the service does not play.
func PlayDesktop(ctx context.Context, socket, display string) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	dial := func() (*ipc.Client, error) { return ipc.Dial(ctx, socket, ipc.Hello{Program: "aval-desktop"}) }
	desk, err := dial()
	if err != nil {
		return "", err
	}
	defer desk.Close()
	if err := desk.Call(ctx, ipc.MethodDesktopRegister, ipc.DesktopRegister{Display: display, Type: "x11", Locale: "en", Offers: event.Groups}, nil); err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	answered := make(chan error, 1)
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case err := <-answered:
			return "the answer was taken", err
		case push, ok := <-desk.Pushes():
			if !ok {
				return "", errors.New("the service ended the connection")
			}
			switch push.Name {
			case ipc.PushHear:
				var h ipc.Hear
				if err := json.Unmarshal(push.Data, &h); err != nil {
					return "", err
				}
				go desk.Call(ctx, ipc.MethodDesktopHeard, ipc.Heard{ID: h.ID, From: consent.FromTest, Device: "Xephyr virtual mouse"}, nil)
			case ipc.PushPromptOpen:
				var o ipc.PromptOpen
				if err := json.Unmarshal(push.Data, &o); err != nil {
					return "", err
				}
				go func() { answered <- playWindow(ctx, dial, o) }()
			}
		}
	}
}

func playWindow(ctx context.Context, dial func() (*ipc.Client, error), o ipc.PromptOpen) error {
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.Close()
	var q ipc.Question
	if err := c.Call(ctx, ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: o.Question, Nonce: o.Nonce}, &q); err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	if err := c.Call(ctx, ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question, Locale: "en", TextSHA256: "00", Window: 1}, nil); err != nil {
		return fmt.Errorf("shown: %w", err)
	}
	var r ipc.QuestionAnswerResult
	if err := c.Call(ctx, ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true, Groups: q.Offered, Press: &ipc.Press{Window: 1, Width: 9, Height: 9}}, &r); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if r.Outcome != consent.OutcomeAllowed {
		return fmt.Errorf("the answer came to %s %s", r.Outcome, r.Refused)
	}
	return nil
}
