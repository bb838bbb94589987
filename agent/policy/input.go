package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"aval/agent/consent"
)

// inputFields is how many names an Input has.
const inputFields = 15

var errNoObject = errors.New("decode input: not one JSON object")

// DecodeInput decodes one JSON object with exactly the names of consent.Input:
// each once, in its exact case, with a text or true/false as it should be,
// never null, and nothing after the object. Texts outside a field's list are
// left for Decide to deny. Whoever gets an error answers bad-input.
//
// It walks the bytes itself once json.Valid has vouched for their form, because
// encoding/json takes names in any case, takes null for anything, and lets the
// last of two equal names win.
func DecodeInput(line []byte) (consent.Input, error) {
	var in consent.Input
	if !utf8.Valid(line) || !json.Valid(line) {
		return consent.Input{}, errNoObject
	}
	s := scanner{line}
	if s.next() != '{' {
		return consent.Input{}, errNoObject
	}
	s.skip()
	var seen uint16
	for s.next() != '}' {
		if s.next() == ',' {
			s.skip()
		}
		key, err := s.text()
		if err != nil {
			return consent.Input{}, err
		}
		s.next() // the colon
		s.skip()
		bit, set, flag := field(&in, key)
		switch {
		case bit == 0:
			return consent.Input{}, fmt.Errorf("decode input: %s is unknown", quote(key))
		case seen&bit != 0:
			return consent.Input{}, fmt.Errorf("decode input: %s stands there twice", quote(key))
		}
		seen |= bit
		switch c := s.next(); {
		case c == '"' && set != nil:
			v, err := s.text()
			if err != nil {
				return consent.Input{}, err
			}
			set(v)
		case c == 't' && flag != nil:
			*flag = true
			s.rest = s.rest[len("true"):]
		case c == 'f' && flag != nil:
			*flag = false
			s.rest = s.rest[len("false"):]
		default:
			return consent.Input{}, fmt.Errorf("decode input: %s has a value of the wrong type", quote(key))
		}
	}
	if seen != 1<<inputFields-1 {
		return consent.Input{}, errors.New("decode input: names are missing")
	}
	return in, nil
}

// field finds the field of in that name means: its bit, and how to set it to a
// text, or where its true or false is. Bit 0: there is none.
func field(in *consent.Input, name string) (bit uint16, set func(string), flag *bool) {
	switch name {
	case "direction":
		return 1 << 0, func(s string) { in.Direction = consent.Direction(s) }, nil
	case "log_sessions":
		return 1 << 1, nil, &in.LogSessions
	case "outgoing":
		return 1 << 2, func(s string) { in.Outgoing = consent.OutgoingOption(s) }, nil
	case "module_enabled":
		return 1 << 3, nil, &in.ModuleEnabled
	case "incoming":
		return 1 << 4, func(s string) { in.Incoming = consent.IncomingOption(s) }, nil
	case "incoming_enforced":
		return 1 << 5, nil, &in.IncomingEnforced
	case "managed_by_requester":
		return 1 << 6, nil, &in.ManagedByRequester
	case "policy_state":
		return 1 << 7, func(s string) { in.PolicyState = consent.PolicyState(s) }, nil
	case "reporting":
		return 1 << 8, func(s string) { in.Reporting = consent.Switch(s) }, nil
	case "insights":
		return 1 << 9, func(s string) { in.Insights = consent.Switch(s) }, nil
	case "insights_enforced":
		return 1 << 10, nil, &in.InsightsEnforced
	case "access_control":
		return 1 << 11, func(s string) { in.AccessControl = consent.AccessControl(s) }, nil
	case "access_control_enforced":
		return 1 << 12, nil, &in.AccessControlEnforced
	case "local":
		return 1 << 13, func(s string) { in.Local = consent.AccessControl(s) }, nil
	case "desktop":
		return 1 << 14, func(s string) { in.Desktop = consent.Desktop(s) }, nil
	}
	return 0, nil, nil
}

// scanner walks bytes that are known to be one valid JSON value.
type scanner struct{ rest []byte }

// next is the next byte that is no white space, without taking it; 0 at the end.
func (s *scanner) next() byte {
	for len(s.rest) > 0 {
		switch c := s.rest[0]; c {
		case ' ', '\t', '\r', '\n':
			s.rest = s.rest[1:]
		default:
			return c
		}
	}
	return 0
}

// skip takes the byte that next returned.
func (s *scanner) skip() { s.rest = s.rest[1:] }

// text takes a string.
func (s *scanner) text() (string, error) {
	if s.next() != '"' {
		return "", errNoObject
	}
	escaped := false
	for i := 1; i < len(s.rest); i++ {
		switch s.rest[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			raw := s.rest[:i+1]
			s.rest = s.rest[i+1:]
			if !escaped {
				return string(raw[1:i]), nil
			}
			var out string
			if err := json.Unmarshal(raw, &out); err != nil {
				return "", fmt.Errorf("decode input: %w", err)
			}
			return out, nil
		}
	}
	return "", errNoObject
}

// EncodeDecision is d as one JSON object without a line feed.
func EncodeDecision(d consent.Decision) []byte {
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err) // texts and a bool
	}
	return raw
}
