package settingslist_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/settingslist"
)

// hand chooses a row and keeps what it was shown.
type hand struct {
	pick string // the name of a row; empty: closes the dialog
	text string
	rows []settingslist.Row
	told []string
}

func (h *hand) Choose(_ context.Context, _, text, _, _ string, rows []settingslist.Row) (int, error) {
	h.text, h.rows = text, rows
	for i, r := range rows {
		if r.Name == h.pick || r.Name == h.pick+" (now)" {
			return i, nil
		}
	}
	return -1, nil
}

func (h *hand) Tell(_ context.Context, _, text, _ string) error {
	h.told = append(h.told, text)
	return nil
}

// service answers as the agent does for one user.
type service struct {
	now    ipc.SettingsResult
	refuse error
	set    []consent.AccessControl
}

func (s *service) call(_ context.Context, m ipc.Method, params, result any) error {
	var out any = ipc.Empty{}
	switch m {
	case ipc.MethodSettingsGet:
		out = s.now
	case ipc.MethodSettingsSet:
		if s.refuse != nil {
			return s.refuse
		}
		s.now.SessionInsights = params.(ipc.SettingsSet).SessionInsights
		s.set = append(s.set, s.now.SessionInsights)
		out = s.now
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, result)
}

func TestChoose(t *testing.T) {
	cat := assets.For("en")
	refused := &ipc.Error{Code: ipc.CodeRefused, Message: "refused"}
	for _, c := range []struct {
		name, pick string
		now        ipc.SettingsResult
		refuse     error
		set        consent.AccessControl
		told       string
		offered    bool
	}{
		{"changed", "Denied", ipc.SettingsResult{SessionInsights: "unset", Effective: "after-confirmation", Origin: "default"}, nil, "denied", "Changed to Denied", true},
		{"back to the default", "Default", ipc.SettingsResult{SessionInsights: "denied", Effective: "denied", Origin: "setting"}, nil, "unset", "Changed to Default", true},
		{"the same again", "Denied", ipc.SettingsResult{SessionInsights: "denied", Effective: "denied", Origin: "setting"}, nil, "", "", true},
		{"closed", "", ipc.SettingsResult{SessionInsights: "unset", Effective: "after-confirmation", Origin: "default"}, nil, "", "", true},
		{"enforced", "Denied", ipc.SettingsResult{SessionInsights: "unset", Effective: "allowed", Origin: "enforced-policy", Enforced: true}, nil, "", "cannot be changed here", false},
		{"with a supporter", "Allowed", ipc.SettingsResult{SessionInsights: "unset", Effective: "after-confirmation", Origin: "default"}, refused, "", "a supporter is connected", true},
		{"not kept", "Allowed", ipc.SettingsResult{SessionInsights: "unset", Effective: "after-confirmation", Origin: "default"}, errors.New("no"), "", "AVL-SET-01", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, s := &hand{pick: c.pick}, &service{now: c.now, refuse: c.refuse}
			if err := settingslist.Run(t.Context(), cat, time.UTC, s.call, h); err != nil {
				t.Fatal(err)
			}
			if (h.rows != nil) != c.offered {
				t.Errorf("offered: %v", h.rows)
			}
			if (len(s.set) == 1) != (c.set != "") || len(s.set) > 0 && s.set[0] != c.set {
				t.Errorf("the service was given %q", s.set)
			}
			if got := strings.Join(h.told, " "); c.told == "" && got != "" || !strings.Contains(got, c.told) {
				t.Errorf("told %q", got)
			}
			if c.offered && !strings.Contains(h.text, "In force: ") || strings.Contains(h.text, "{") {
				t.Errorf("the text is %q", h.text)
			}
		})
	}
}

// Without a service the person is told so, and the caller has the error.
func TestNoService(t *testing.T) {
	h := &hand{pick: "Denied"}
	err := settingslist.Run(t.Context(), assets.For("en"), time.UTC, func(context.Context, ipc.Method, any, any) error { return ipc.ErrEnded }, h)
	if !errors.Is(err, ipc.ErrEnded) || len(h.told) != 1 || h.rows != nil {
		t.Errorf("%v, told %q", err, h.told)
	}
}
