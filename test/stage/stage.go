// Package stage is a service with one question, and nothing else of the agent:
// for looking at the question's window and for testing it from outside.
//
// The one rule that must not be broken: it keeps the service's order (claim,
// shown, answer, each once and on one connection), so that a window which
// breaks it fails here as it would in earnest.
package stage

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
)

// Nonce is what a window must bring to be given the question.
const Nonce = "a-nonce-of-the-stage"

// Stage is a running service.
type Stage struct {
	// Shown and Answered deliver what the window reported, once each.
	Shown    chan ipc.QuestionShown
	Answered chan ipc.QuestionAnswer
	// Left is closed when the window's connection has ended.
	Left chan struct{}

	question ipc.Question
	server   *ipc.Server

	mu   sync.Mutex // guards the fields below
	conn *ipc.Conn  // that claimed the question
	step int        // 0 asked, 1 claimed, 2 shown, 3 ended
}

// Open serves question at the socket.
func Open(socket string, question ipc.Question) (*Stage, error) {
	server, err := ipc.Listen(socket, ipc.HelloResult{Build: "stage"}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	s := &Stage{
		Shown: make(chan ipc.QuestionShown, 1), Answered: make(chan ipc.QuestionAnswer, 1),
		Left: make(chan struct{}), question: question, server: server,
	}
	go func() { _ = server.Serve(s) }()
	return s, nil
}

// Close ends the service, as a crash would.
func (s *Stage) Close() error { return s.server.Close() }

// EndElsewhere tells the window that the question is over.
func (s *Stage) EndElsewhere(o consent.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step = 3
	if s.conn != nil {
		s.conn.Push(ipc.PushPromptClose, ipc.PromptClose{Question: s.question.Question, Outcome: o})
	}
}

// Handle implements ipc.Handler.
func (s *Stage) Handle(_ context.Context, c *ipc.Conn, m ipc.Method, params json.RawMessage) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := &ipc.Error{Code: ipc.CodeRefused, Message: "not in this order"}
	switch m {
	case ipc.MethodStatus:
		return ipc.Status{Build: "stage", Company: "Example Support", Link: "connected", Server: "https://support.example.com",
			Device: "01J9ZK3V7Q", Sessions: 1, Recording: 1, Waiting: 3}, nil
	case ipc.MethodQuestionClaim:
		var p ipc.QuestionClaim
		if err := ipc.Decode(params, &p); err != nil {
			return nil, err
		}
		if s.step != 0 || p.Nonce != Nonce || p.Question != s.question.Question {
			return nil, refused
		}
		s.step, s.conn = 1, c
		return s.question, nil
	case ipc.MethodQuestionShown:
		var p ipc.QuestionShown
		if err := ipc.Decode(params, &p); err != nil {
			return nil, err
		}
		if s.step != 1 || s.conn != c {
			return nil, refused
		}
		s.step = 2
		s.Shown <- p
		return ipc.QuestionShownResult{Deadline: time.Now().Add(time.Duration(s.question.AnswerSeconds) * time.Second)}, nil
	case ipc.MethodQuestionAnswer:
		var p ipc.QuestionAnswer
		if err := ipc.Decode(params, &p); err != nil {
			return nil, err
		}
		if s.step != 2 || s.conn != c {
			return nil, refused
		}
		s.step = 3
		s.Answered <- p
		if p.Allow {
			return ipc.QuestionAnswerResult{Outcome: consent.OutcomeAllowed}, nil
		}
		return ipc.QuestionAnswerResult{Outcome: consent.OutcomeRefused}, nil
	}
	return nil, &ipc.Error{Code: ipc.CodeRefused, Message: "the stage has only one question"}
}

// Closed implements ipc.Handler.
func (s *Stage) Closed(c *ipc.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c == s.conn {
		close(s.Left)
	}
}

// Question is an ordinary question of Example Support, by a supporter whose
// name nobody vouches for, connected for 12 seconds.
func Question(seconds int) ipc.Question {
	return ipc.Question{
		Question: "01J9ZK3V7QQUESTION", Rung: "window", Session: "x11vnc/1", Tool: "x11vnc",
		Supporter: "Ana Souza", Address: "203.0.113.7", ConnectedAt: time.Now().Add(-12 * time.Second),
		Companies:     []ipc.QuestionCompany{{ID: "c1", Name: "Example Support", Verified: true, Engine: "rules", RetentionDays: 90}},
		Offered:       []event.Group{event.Windows, event.Commands, event.Files, event.System, event.Chat},
		AnswerSeconds: seconds,
	}
}
