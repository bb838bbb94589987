package link_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/module"
	"aval/agent/record"
	"aval/agent/uplink"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store/storetest"
)

// module writes a module of the server's to a file.
func (s *server) module(t testing.TB, name string, on bool) (company.Module, string) {
	t.Helper()
	m, raw, err := s.co.CreateModule(t.Context(), name, on, 30)
	if err != nil {
		t.Fatal(err)
	}
	return m, keep(t, raw)
}

func keep(t testing.TB, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), module.Beside)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// refusedModule proves that a module is refused, with a word of why.
func refusedModule(t *testing.T, path, why string) {
	t.Helper()
	m, err := module.Open(t.Context(), path)
	var no *ipc.Error
	if !errors.As(err, &no) || no.Code != ipc.CodeRefused || !strings.Contains(no.Error(), why) {
		t.Errorf("%s: %+v, %v", why, m, err)
	}
}

// TestModuleOpens: a module opens where its server stands by it, and does not
// where it was revoked, has expired, was changed, or is signed by somebody who
// only names the server. To see it fail, let uplink.Module not look at ServerKey,
// or Service.standing not at RevokedAt.
func TestModuleOpens(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	s, err := listen(storetest.Dir(t), "127.0.0.1:0", clock, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	made, path := s.module(t, "Help desk", true)
	m, err := module.Open(t.Context(), path)
	if err != nil || m.Host != "127.0.0.1" || !m.Pinned || m.CompanyName != "Example Support" || m.Name != "Help desk" {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, _, err := s.co.CreateModule(t.Context(), "Help desk", true, 30); err == nil {
		t.Error("two modules of one name")
	}
	// Somebody else signs one that names this server, with an id that stands there.
	_, other, _ := ed25519.GenerateKey(nil)
	forged := m.Module
	forged.Key = other.Public().(ed25519.PublicKey)
	raw, err := record.Sign(other, record.TypeModule, forged)
	if err != nil {
		t.Fatal(err)
	}
	refusedModule(t, keep(t, raw), "signed by somebody else")
	forged.ID, forged.Key = "01UNKNOWN", m.Module.Key
	if _, err := uplink.Module(t.Context(), forged); !errors.Is(err, uplink.ErrModule) || !strings.Contains(err.Error(), "not known") {
		t.Error(err)
	}
	good, _ := os.ReadFile(path)
	var env record.Envelope
	if err := json.Unmarshal(good, &env); err != nil {
		t.Fatal(err)
	}
	env.Payload = bytes.Replace(env.Payload, []byte("Help desk"), []byte("Help Desk"), 1)
	changed, _ := json.Marshal(env)
	refusedModule(t, keep(t, changed), "changed")

	if _, err := s.co.RevokeModule(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	refusedModule(t, path, "revoked")
	if _, err := s.co.SwitchModule(t.Context(), made.ID, true); !errors.Is(err, company.ErrNoModule) {
		t.Errorf("a revoked one is switched: %v", err)
	}
	// A code is not taken in it either, and stays good.
	code := s.code(t, company.CodeFor{LogSessions: true})
	if _, err := redeemIn(t, code.Code, made.ID); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a code in a revoked module: %v", err)
	}
	if _, _, err := redeem(t, code.Code); err != nil {
		t.Errorf("the code was used up: %v", err)
	}
	_, late := s.module(t, "Other", true)
	now = now.AddDate(0, 0, 31) // on the server alone
	refusedModule(t, late, "expired")
	if _, err := module.Open(t.Context(), keep(t, []byte("no module"))); err == nil || errors.As(err, new(*ipc.Error)) {
		t.Errorf("what is none: %v", err)
	}
	s.close()
	if _, err := module.Open(t.Context(), late); !errors.Is(err, uplink.ErrUnreachable) {
		t.Errorf("without its server: %v", err)
	}
}

func redeemIn(t testing.TB, text, module string) (record.Request, error) {
	t.Helper()
	code, err := wire.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := ed25519.GenerateKey(nil)
	r, err := uplink.Redeem(t.Context(), code, key, "test", module)
	return r.Request, err
}

// TestModuleSwitch: what the company's choice and a module's switch come to, as
// signed for a code that is entered in the module, for one made for it by name,
// and for one entered nowhere. To see it fail, let UseCode leave module_enabled
// as the code has it.
func TestModuleSwitch(t *testing.T) {
	s, err := listen(storetest.Dir(t), "127.0.0.1:0", nil, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	made, path := s.module(t, "Help desk", false)
	for _, tt := range []struct {
		outgoing consent.OutgoingOption
		on       bool
		in       consent.Reason // by the module
		out      consent.Reason // without one
	}{
		{consent.OutgoingOff, false, consent.ReasonOutgoingOff, consent.ReasonOutgoingOff},
		{consent.OutgoingOff, true, consent.ReasonOutgoingOff, consent.ReasonOutgoingOff},
		{consent.OutgoingAll, false, consent.ReasonMustConfirm, consent.ReasonMustConfirm},
		{consent.OutgoingAll, true, consent.ReasonMustConfirm, consent.ReasonMustConfirm},
		{consent.OutgoingModules, false, consent.ReasonModuleOff, consent.ReasonModuleOff},
		{consent.OutgoingModules, true, consent.ReasonMustConfirm, consent.ReasonModuleOff},
	} {
		t.Run(fmt.Sprintf("%s-%v", tt.outgoing, tt.on), func(t *testing.T) {
			if err := s.co.SetOptions(t.Context(), company.Change{Outgoing: &tt.outgoing}); err != nil {
				t.Fatal(err)
			}
			now, err := s.co.SwitchModule(t.Context(), made.ID, tt.on)
			if err != nil || now.Asks != (tt.in == consent.ReasonMustConfirm) {
				t.Fatalf("%+v, %v", now, err)
			}
			if m, err := module.Open(t.Context(), path); err != nil || m.Asks != now.Asks {
				t.Errorf("opened: %+v, %v", m, err)
			}
			// A code cannot switch on what its module has off.
			for _, f := range []company.CodeFor{{LogSessions: true}, {LogSessions: true, Module: "Help desk"}} {
				r, err := redeemIn(t, s.code(t, f).Code, made.ID)
				if err != nil || r.Module != "Help desk" || r.ModuleEnabled != tt.on {
					t.Fatalf("%+v: %+v, %v", f, r, err)
				}
				if d := decided(r); d != tt.in {
					t.Errorf("%+v by the module: %s, want %s", f, d, tt.in)
				}
			}
			r, err := redeemIn(t, s.code(t, company.CodeFor{LogSessions: true}).Code, "")
			if d := decided(r); err != nil || d != tt.out {
				t.Errorf("without a module: %s, want %s (%v)", d, tt.out, err)
			}
		})
	}
}

func decided(r record.Request) consent.Reason {
	return consent.Decide(consent.Input{Direction: consent.Outgoing, LogSessions: r.LogSessions, Outgoing: r.Outgoing, ModuleEnabled: r.ModuleEnabled,
		Incoming: consent.IncomingOff, PolicyState: consent.PolicyNone, Reporting: consent.SwitchUnset, Insights: consent.SwitchUnset,
		AccessControl: consent.AccessUnset, Local: consent.AccessUnset, Desktop: consent.DesktopAvailable}).Reason
}
