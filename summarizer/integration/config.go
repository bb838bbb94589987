package integration

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"aval/summarizer/store"
)

// Config is how an endpoint is reached and what it is given; which parts count
// depends on its kind.
type Config struct {
	URL string `json:"url"` // of a webhook; of ServiceNow's instance; of Salesforce's login
	// Auth is how the server signs in: client_credentials or jwt (RFC 7523).
	Auth     string `json:"auth,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	User     string `json:"user,omitempty"`     // whom a JWT speaks for
	Audience string `json:"audience,omitempty"` // of a JWT; empty: the address
	// Target is record (the endpoint keeps one record for each session) or, of
	// ServiceNow only, note (a note at the ticket that the session's report names).
	Target string `json:"target,omitempty"`
	// Table is ServiceNow's table or Salesforce's object.
	Table string `json:"table,omitempty"`
	// KeyField is the field that holds the session's reference, by which its record
	// is found again: an External Id of Salesforce's, correlation_id of ServiceNow's.
	KeyField string `json:"key_field,omitempty"`
	// NoteField is the journal field of a note: work_notes or comments.
	NoteField string  `json:"note_field,omitempty"`
	Fields    []Field `json:"fields,omitempty"`
}

// Field says what one field of the other system's record holds.
type Field struct {
	Name string `json:"name"`
	// Value is text in which {{word}} stands for one of Words.
	Value string `json:"value"`
	// Max is how many characters the field takes; 0: 4000.
	Max int `json:"max,omitempty"`
	// HTML: the other system shows the field as HTML, so it is escaped.
	HTML bool `json:"html,omitempty"`
}

// Ways to sign in, and targets.
const (
	ClientCredentials = "client_credentials"
	JWT               = "jwt"
	TargetRecord      = "record"
	TargetNote        = "note"
)

// Presets are the settings that a new endpoint of a kind begins with.
var presets = map[string]Config{
	store.ServiceNow: {Auth: ClientCredentials, Target: TargetRecord, Table: "interaction", KeyField: "correlation_id", NoteField: "work_notes", Fields: []Field{
		{Name: "short_description", Value: "{{name}}", Max: 160},
		{Name: "correlation_display", Value: "Aval", Max: 100},
		{Name: "type", Value: "chat", Max: 40},
		{Name: "work_notes", Value: "{{summary}}\n\n{{steps}}\n\n{{supporter}} · {{device}} · {{started}} – {{ended}}\n{{link}}\n{{marker}}", Max: 16000}}},
	store.Salesforce: {URL: "https://login.salesforce.com", Auth: JWT, Target: TargetRecord, Table: "Session_Insight__c", KeyField: "Aval_Ref__c", Fields: []Field{
		{Name: "Name", Value: "{{name}}", Max: 80},
		{Name: "Summary__c", Value: "{{summary}}\n\n{{steps}}", Max: 32000},
		{Name: "Supporter__c", Value: "{{supporter}}", Max: 255},
		{Name: "Device__c", Value: "{{device}}", Max: 255},
		{Name: "Started__c", Value: "{{started}}"},
		{Name: "Ended__c", Value: "{{ended}}"}}},
}

// Preset is what a new endpoint of kind begins with.
func Preset(kind string) Config {
	p := presets[kind]
	p.Fields = slices.Clone(p.Fields)
	return p
}

var (
	identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,79}$`)
	word       = regexp.MustCompile(`\{\{([^{}]*)\}\}`)
)

// check refuses what cannot work, in words, and fills in what is left out.
func (h *Hub) check(kind string, e *Endpoint, s Secrets) (Config, error) {
	c := e.Config
	e.Name = strings.TrimSpace(e.Name)
	if e.Name == "" || len(e.Name) > 100 || strings.ContainsFunc(e.Name, unicode.IsControl) {
		return c, wrong("name", "a name of at most 100 characters is needed")
	}
	slices.Sort(e.Events)
	e.Events = slices.Compact(e.Events)
	for _, typ := range e.Events {
		if !slices.Contains(store.Types, typ) {
			return c, wrong("event", "there is no event %q: %s", typ, strings.Join(store.Types, ", "))
		}
	}
	u, err := h.guard.check(c.URL)
	if err != nil {
		return c, fmt.Errorf("%w: %w", wrong("address", "the address %q", c.URL), err)
	}
	switch kind {
	case store.Webhook:
		if len(e.Events) == 0 {
			return c, wrong("events", "choose at least one event")
		}
		if _, err := webhookKey(s.Webhook); err != nil {
			return c, wrong("secret", "%v", err)
		}
		return Config{URL: c.URL}, nil
	case store.ServiceNow, store.Salesforce:
		e.Events = []string{store.SummaryCreated, store.SummaryDeleted, store.SummaryEdited}
		return h.checkRemote(kind, c, s, u)
	}
	return c, wrong("kind", "there is no kind %q: webhook, servicenow, salesforce", kind)
}

func (h *Hub) checkRemote(kind string, c Config, s Secrets, u *url.URL) (Config, error) {
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return c, wrong("path", "the address is that of the system alone, without a path")
	}
	c.URL = strings.TrimSuffix(c.URL, "/")
	p := Preset(kind)
	fill := func(v *string, preset string) {
		if *v == "" {
			*v = preset
		}
	}
	fill(&c.Auth, p.Auth)
	fill(&c.Target, p.Target)
	fill(&c.Table, p.Table)
	fill(&c.KeyField, p.KeyField)
	fill(&c.NoteField, p.NoteField)
	if len(c.Fields) == 0 {
		c.Fields = p.Fields
	}
	switch {
	case c.ClientID == "" || len(c.ClientID) > 512:
		return c, wrong("client_id", "the client id (consumer key) is missing")
	case c.Auth == ClientCredentials && s.Client == "":
		return c, wrong("client_secret", "the client secret is missing")
	case c.Auth == JWT && c.User == "":
		return c, wrong("user", "the user that the server speaks for is missing")
	case c.Auth != JWT && c.Auth != ClientCredentials:
		return c, wrong("auth", "auth is client_credentials or jwt")
	case c.Target != TargetRecord && (c.Target != TargetNote || kind != store.ServiceNow):
		return c, wrong("target", "target is record, or note with ServiceNow")
	case !identifier.MatchString(c.Table) || !identifier.MatchString(c.KeyField):
		return c, wrong("names", "table and key_field are names of letters, digits and _")
	case c.Target == TargetNote && !slices.Contains([]string{"work_notes", "comments"}, c.NoteField):
		return c, wrong("note_field", "note_field is work_notes or comments")
	case len(c.Fields) > 40:
		return c, wrong("fields", "more than 40 fields")
	}
	if c.Auth == JWT {
		if _, err := rsaKey(s.Key); err != nil {
			return c, wrong("private_key", "%v", err)
		}
	}
	if c.Audience != "" {
		if _, err := h.guard.check(c.Audience); err != nil {
			return c, wrong("audience", "the audience is an address")
		}
	}
	seen := map[string]bool{strings.ToLower(c.KeyField): true}
	for _, f := range c.Fields {
		switch low := strings.ToLower(f.Name); {
		case !identifier.MatchString(f.Name):
			return c, wrong("field_name", "field %q: a name of letters, digits and _", f.Name)
		case seen[low]:
			return c, wrong("field_twice", "field %q stands twice, or is the key field, which is filled by itself", f.Name)
		case len(f.Value) > 4000 || f.Max < 0 || f.Max > 100_000:
			return c, wrong("field_long", "field %q: at most 4000 bytes of text, and 100000 characters", f.Name)
		default:
			seen[low] = true
		}
		for _, m := range word.FindAllStringSubmatch(f.Value, -1) {
			if !slices.Contains(Words, strings.TrimSpace(m[1])) {
				return c, wrong("field_word", "field %q: there is no {{%s}}; there are %s", f.Name, m[1], strings.Join(Words, ", "))
			}
		}
	}
	return c, nil
}

// rsaKey reads a private key in PEM, PKCS #8 or PKCS #1.
func rsaKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the private key is no PEM text")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		any, err8 := x509.ParsePKCS8PrivateKey(block.Bytes)
		k, ok := any.(*rsa.PrivateKey)
		if err8 != nil || !ok {
			return nil, errors.New("the private key is no RSA key in PKCS #8 or PKCS #1")
		}
		key = k
	}
	if key.N.BitLen() < 2048 {
		return nil, errors.New("the private key has less than 2048 bits")
	}
	return key, nil
}
