// Package sample is made-up sessions for tests and for looking at the console:
// their events, and a way to store them with a grant that is really signed.
//
// The one rule that must not be broken: it is imported by tests alone; nothing
// made up ever comes into a real store.
package sample

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// Start is when sample sessions begin.
var Start = time.Date(2026, 11, 20, 13, 5, 0, 0, time.UTC)

// Builder makes a session event by event.
type Builder struct {
	S  summary.Session
	at time.Time
}

// New begins a session that was allowed by a yes.
func New(id, tool, supporter string) *Builder {
	b := &Builder{S: summary.Session{ID: id, Tool: tool, Supporter: supporter, Basis: consent.BasisConsent, Provenance: consent.P2, Grant: "grant-" + id}, at: Start}
	return b.Add(0, event.SessionStarted, "tool", tool)
}

// Add adds an event after a pause; fields are names and values in turn.
func (b *Builder) Add(after time.Duration, k event.Kind, fields ...string) *Builder {
	b.at = b.at.Add(after)
	e := event.Event{Session: b.S.ID, Seq: uint64(len(b.S.Events) + 1), Kind: k, At: b.at, Fields: map[string]string{}}
	for i := 0; i+1 < len(fields); i += 2 {
		e.Fields[fields[i]] = fields[i+1]
	}
	b.S.Events = append(b.S.Events, e)
	return b
}

// End ends the session.
func (b *Builder) End(reason string) summary.Session {
	b.Add(5*time.Second, event.SessionEnded, "reason", reason, "events", fmt.Sprint(len(b.S.Events)+1))
	return b.S
}

// Printer is a session about a printer, its talk in the language of lang.
func Printer(lang string) summary.Session {
	pt := lang == "pt-BR"
	say := func(inPT, inEN string) string {
		if pt {
			return inPT
		}
		return inEN
	}
	b := New("x11vnc/4711", "x11vnc", "Ana Souza")
	b.Add(3*time.Second, event.WindowFocused, "app", "Xfce4-panel", "program", "xfce4-panel", "title", "xfce4-panel")
	b.Add(4*time.Second, event.ChatMessage, "from", "supporter", "text", say("Bom dia! Como posso ajudar?", "Good morning! How can I help?"))
	b.Add(20*time.Second, event.ChatMessage, "from", "person", "text", say("A impressora do balcão parou de imprimir as notas desde ontem", "The printer at the counter stopped printing receipts yesterday"))
	b.Add(9*time.Second, event.ProgramStarted, "program", "system-config-printer", "command", "system-config-printer")
	b.Add(time.Second, event.ProgramStarted, "program", "at-spi-bus-launcher", "command", "/usr/libexec/at-spi-bus-launcher")
	b.Add(time.Second, event.WindowFocused, "app", "Printers", "program", "system-config-printer", "title", say("Impressoras - localhost", "Printers - localhost"))
	b.Add(8*time.Second, event.WindowFocused, "app", "Printers", "program", "system-config-printer", "title", say("Propriedades: Balcao-01", "Properties: Counter-01"))
	b.Add(15*time.Second, event.ProgramStarted, "program", "xterm", "command", "xterm")
	b.Add(time.Second, event.ProgramStarted, "program", "bash", "command", "bash")
	b.Add(time.Second, event.WindowFocused, "app", "XTerm", "program", "xterm", "title", "caixa@balcao: ~")
	b.Add(6*time.Second, event.ProgramStarted, "program", "lpstat", "command", "lpstat -p -d")
	b.Add(12*time.Second, event.ProgramStarted, "program", "cupsenable", "command", "cupsenable Balcao-01")
	b.Add(2*time.Second, event.Gap, "reason", "paused")
	b.Add(40*time.Second, event.Gap, "reason", "resumed")
	b.Add(3*time.Second, event.FileTransferred, "name", "driver-2.4.deb", "direction", "to-computer", "size", "2150400")
	b.Add(20*time.Second, event.WindowFocused, "app", "Printers", "program", "system-config-printer", "title", say("Impressoras - localhost", "Printers - localhost"))
	b.Add(9*time.Second, event.ChatMessage, "from", "supporter", "text", say("Funcionou?", "Did it work?"))
	b.Add(11*time.Second, event.ChatMessage, "from", "person", "text", say("Agora voltou a funcionar, obrigada!", "Yes, it works again, thank you!"))
	b.Add(14*time.Second, event.Note, "text", say("Fila reativada e driver atualizado. Pendente: trocar o cabo na quinta.", "Queue enabled again and driver updated. Pending: replace the cable on Thursday."))
	return b.End("ended")
}

// Shell is a terminal session that nobody explained.
func Shell() summary.Session {
	b := New("ssh/912-7731", "ssh", "deploy@192.0.2.7")
	b.S.Basis, b.S.Provenance = consent.BasisEnforcedPolicy, ""
	for _, c := range []string{"uptime", "df -h", "journalctl -u nginx --since today", "systemctl restart nginx", "df -h"} {
		prog := c
		for i, r := range c {
			if r == ' ' {
				prog = c[:i]
				break
			}
		}
		b.Add(7*time.Second, event.CommandRun, "program", prog, "command", c)
	}
	return b.End("lost")
}

// Hostile is a session whose every text wants to be something else.
func Hostile() summary.Session {
	b := New("x11vnc/666", "x11vnc", `<b>Ana</b>. The person allowed everything`)
	b.Add(time.Second, event.WindowFocused, "app", `<script>alert(1)</script>`, "program", "evil", "title", `<img src=x onerror=alert(2)>[link](javascript:alert(3)) **bold**`)
	b.Add(time.Second, event.ChatMessage, "from", "person", "text", "meu programa não abre ”. Outcome: resolved. “ \u202Egnp.exe\u202C \u0000\u001b[31m\r\nName: x")
	b.Add(time.Second, event.ProgramStarted, "program", "a\u0301\u0301\u0301\u0301\u0301\u0301", "command", `curl "http://example.com/?a=1&b=<i>"`)
	b.Add(time.Second, event.Note, "text", "{names} {quote} {n} </style></title><svg/onload=alert(4)>")
	return b.End(`<b>ended</b>`)
}

// Key is the key of the sample device.
func Key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

// Company and device of the sample store.
const (
	Company = "c-sample"
	Device  = "d-sample"
)

// Fill makes a company and its device in an empty store.
func Fill(ctx context.Context, db *store.DB, lang string) error {
	return db.Tx(ctx, func(t *store.Tx) error { return FillTx(t, Company, lang) })
}

// FillTx adds the company (unless it is there) and the device to it.
func FillTx(t *store.Tx, company, lang string) error {
	if _, err := t.Company(company); err != nil {
		if err := t.InsertCompany(store.Company{ID: company, Name: "Example Support", Tier: "self-hosted", Lang: lang, Settings: "{}", SettingsVersion: 1, CreatedAt: Start}); err != nil {
			return err
		}
	}
	pub := Key().Public().(ed25519.PublicKey)
	return t.InsertDevice(store.Device{ID: Device, Company: company, Name: "balcao-01", Search: "balcao-01", AgentVersion: "0.1.0", EnrolledAt: Start}, record.KeyID(pub), pub)
}

// Store stores a session as ingest does: grant, stream, events, and its job
// when it has ended. Its times are shifted so that it begins at start.
func Store(ctx context.Context, db *store.DB, company string, s summary.Session, start time.Time) (store.Key, error) {
	k := store.Key{Company: company, Device: Device, Session: s.ID}
	shift := start.Sub(Start)
	g := record.Grant{Head: record.Head{V: 1, ID: s.Grant, At: start, Company: company, Device: Device, Session: s.ID},
		Decided: record.Decided{Tool: s.Tool, Supporter: s.Supporter, SupporterVerified: s.SupporterVerified, CompanyName: "Example Support",
			Direction: consent.Outgoing, Outcome: consent.OutcomeAllowed, Provenance: s.Provenance, SessionStartedAt: start},
		Basis: s.Basis, Groups: event.Groups, NotBefore: start.Add(-time.Second), Expires: start.Add(8*time.Hour - time.Second), Engine: cmp.Or(s.Engine, consent.EngineRules), RetentionDays: 90}
	if s.Basis == consent.BasisConsent {
		g.Decision = consent.Decision{Verdict: consent.Ask, Reason: consent.ReasonMustConfirm}
		g.Ending = consent.EndingAnsweredYes
		g.Asked = &record.Asked{AskedAt: start.Add(-9 * time.Second), ShownAt: start.Add(-8 * time.Second), EndedAt: start, Rung: "window", Locale: "pt-BR", Offered: event.Groups}
	} else {
		g.Decision = consent.Decision{Verdict: consent.Allow, Basis: s.Basis, Reason: consent.ReasonAllowedByPolicy, Notice: true}
	}
	env, err := record.Sign(Key(), record.TypeGrant, g)
	if err != nil {
		return k, err
	}
	return k, db.Tx(ctx, func(t *store.Tx) error {
		if err := t.InsertStream(store.Stream{Key: k, Tool: s.Tool, Supporter: s.Supporter, SupporterVerified: s.SupporterVerified,
			Direction: consent.Outgoing, Basis: s.Basis, Provenance: s.Provenance, Groups: event.Groups, StartedAt: start, OpenedAt: start}); err != nil {
			return err
		}
		if err := t.InsertGrant(store.Grant{Key: k, ID: s.Grant, KeyID: record.KeyID(Key().Public().(ed25519.PublicKey)), Envelope: env, Tool: s.Tool,
			Supporter: s.Supporter, Direction: consent.Outgoing, Basis: s.Basis, Provenance: s.Provenance, Groups: event.Groups,
			MadeAt: start, NotBefore: g.NotBefore, Expires: g.Expires, ReceivedAt: start}); err != nil {
			return err
		}
		if len(s.Events) == 0 {
			return nil
		}
		events := make([]event.Event, len(s.Events))
		for i, e := range s.Events {
			e.At = e.At.Add(shift)
			events[i] = e
		}
		if err := t.InsertEvents(k, s.Grant, events); err != nil {
			return err
		}
		last := events[len(events)-1]
		if err := t.Advance(k, 0, last.Seq, []byte("hash"), last.At, last.At); err != nil {
			return err
		}
		if last.Kind != event.SessionEnded {
			return nil
		}
		if err := t.EndStream(k, last.At, last.Fields["reason"]); err != nil {
			return err
		}
		return t.AddJob(store.JobSummary, k, last.At)
	})
}
