package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"aval/agent/consent"
)

// DecodeInput decodes one JSON object with exactly the names of consent.Input:
// each once, in its exact case, with a text or true/false as it should be,
// never null, and nothing after the object. Texts outside a field's list are
// left for Decide to deny. Whoever gets an error answers bad-input.
func DecodeInput(line []byte) (consent.Input, error) {
	var in consent.Input
	texts := map[string]func(string){
		"direction":      func(s string) { in.Direction = consent.Direction(s) },
		"outgoing":       func(s string) { in.Outgoing = consent.OutgoingOption(s) },
		"incoming":       func(s string) { in.Incoming = consent.IncomingOption(s) },
		"policy_state":   func(s string) { in.PolicyState = consent.PolicyState(s) },
		"reporting":      func(s string) { in.Reporting = consent.Switch(s) },
		"insights":       func(s string) { in.Insights = consent.Switch(s) },
		"access_control": func(s string) { in.AccessControl = consent.AccessControl(s) },
		"local":          func(s string) { in.Local = consent.AccessControl(s) },
		"desktop":        func(s string) { in.Desktop = consent.Desktop(s) },
	}
	bools := map[string]*bool{
		"log_sessions":            &in.LogSessions,
		"module_enabled":          &in.ModuleEnabled,
		"incoming_enforced":       &in.IncomingEnforced,
		"managed_by_requester":    &in.ManagedByRequester,
		"insights_enforced":       &in.InsightsEnforced,
		"access_control_enforced": &in.AccessControlEnforced,
	}
	if !utf8.Valid(line) || !json.Valid(line) {
		return consent.Input{}, errors.New("decode input: not one JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return consent.Input{}, errors.New("decode input: not one JSON object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return consent.Input{}, fmt.Errorf("decode input: %w", err)
		}
		key, _ := name.(string)
		value, err := d.Token()
		if err != nil {
			return consent.Input{}, fmt.Errorf("decode input: %w", err)
		}
		setText, isText := texts[key]
		flag, isBool := bools[key]
		switch v := value.(type) {
		case string:
			if !isText {
				return consent.Input{}, wrongValue(key, isBool, "a text")
			}
			setText(v)
			delete(texts, key)
		case bool:
			if !isBool {
				return consent.Input{}, wrongValue(key, isText, "true or false")
			}
			*flag = v
			delete(bools, key)
		default:
			return consent.Input{}, wrongValue(key, isText || isBool, "null, a number, a list or an object")
		}
	}
	if n := len(texts) + len(bools); n > 0 {
		return consent.Input{}, fmt.Errorf("decode input: %d names are missing", n)
	}
	return in, nil
}

func wrongValue(key string, known bool, is string) error {
	if !known {
		return fmt.Errorf("decode input: %s is unknown or stands there twice", quote(key))
	}
	return fmt.Errorf("decode input: %s is %s", quote(key), is)
}

// EncodeDecision is d as one JSON object without a line feed.
func EncodeDecision(d consent.Decision) []byte {
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err) // texts and a bool
	}
	return raw
}
