package record

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/policy"
)

// OptionsLife is how long signed options are in force, unless a release that
// they need ends sooner.
const OptionsLife = 30 * 24 * time.Hour

// Options is the body of TypePolicy: the one bundle of options and policy that
// a company's summarizer signs for one device, with the company's key.
type Options struct {
	V       int       `json:"v"`
	Company string    `json:"company"`
	Device  string    `json:"device"`
	Version int64     `json:"version"` // of the bundle: goes up with every other content
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"`

	CompanyName      string                 `json:"company_name"`
	Outgoing         consent.OutgoingOption `json:"outgoing"`
	Incoming         consent.IncomingOption `json:"incoming"`
	IncomingEnforced bool                   `json:"incoming_enforced"`
	LogSessions      bool                   `json:"log_sessions"`
	// Engine is what writes summaries, see consent.Engine.
	Engine        string `json:"engine"`
	RetentionDays int    `json:"retention_days"`
	Readers       string `json:"readers,omitempty"` // who may read, in the company's words

	// Policy is the policy assigned to the device; nil: none is, and that is said.
	Policy *Assigned `json:"policy,omitempty"`
}

// Assigned is one published version of a company's policy.
type Assigned struct {
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	Version  int64            `json:"version"`
	Settings []policy.Setting `json:"settings"`
	// Release is the envelope of a Release, where one was made.
	Release []byte `json:"release,omitempty"`
}

// String names the version for people and records.
func (a Assigned) String() string { return fmt.Sprintf("%s version %d", a.Name, a.Version) }

// Release is the body of TypeRelease: what the holder of the company's release
// key vouches for. Only what it names may turn into an allow without a question.
type Release struct {
	V                int                    `json:"v"`
	Company          string                 `json:"company"`
	Policy           string                 `json:"policy"` // id
	Name             string                 `json:"name"`
	Version          int64                  `json:"version"` // of the policy
	At               time.Time              `json:"at"`
	Expires          time.Time              `json:"expires"`
	Settings         []policy.Setting       `json:"settings"`
	Incoming         consent.IncomingOption `json:"incoming"`
	IncomingEnforced bool                   `json:"incoming_enforced"`
}

// Trust is what a device has pinned and already taken.
type Trust struct {
	Company, Device string
	ServerKey       ed25519.PublicKey
	// ReleaseKey may be the server's own key; without one the server may only
	// tighten.
	ReleaseKey ed25519.PublicKey
	// Version is the last bundle's, and Last its envelope where that is still
	// there: an older one is refused, and the same one with other content.
	Version int64
	Last    []byte
	// Policies are the highest version seen of each policy, by id.
	Policies map[string]int64
}

// ServerReleases tells whether the server's own key is the release key.
func (t Trust) ServerReleases() bool { return t.ReleaseKey != nil && t.ReleaseKey.Equal(t.ServerKey) }

// Bundle is options that were verified.
type Bundle struct {
	Options
	// Values of the policy, with their origin.
	Values []policy.Value
	// Until is when it stops being in force.
	Until time.Time
}

// OpenOptions verifies an envelope of options and everything in it: signature,
// for whom it is, that neither it nor its policy is older than what was taken
// before, that its policy is wholly valid, and that no value may allow without
// a question which the release key does not vouch for. Whether it is in force
// now is for the caller: see Bundle.Until.
func OpenOptions(envelope []byte, t Trust) (Bundle, error) {
	b, err := openOptions(envelope, t)
	if err != nil {
		return Bundle{}, fmt.Errorf("verify options: %w", err)
	}
	return b, nil
}

func openOptions(envelope []byte, t Trust) (Bundle, error) {
	var b Bundle
	if _, err := OpenAs(envelope, OneKey(t.ServerKey), TypePolicy, &b.Options); err != nil {
		return Bundle{}, err
	}
	b.Until = b.Expires
	switch {
	case b.V != 1:
		return Bundle{}, fmt.Errorf("their format %d is not known", b.V)
	case b.Company != t.Company || b.Device != t.Device:
		return Bundle{}, errors.New("they are for another device")
	case b.Version < 1:
		return Bundle{}, errors.New("they have no version")
	case b.Version < t.Version:
		return Bundle{}, fmt.Errorf("version %d is older than %d", b.Version, t.Version)
	case b.Version == t.Version && len(t.Last) > 0 && !bytes.Equal(envelope, t.Last):
		return Bundle{}, fmt.Errorf("version %d was taken already, with other content", b.Version)
	case !b.Expires.After(b.At):
		return Bundle{}, errors.New("they expire before they begin")
	case !slices.Contains([]consent.OutgoingOption{consent.OutgoingOff, consent.OutgoingAll, consent.OutgoingModules}, b.Outgoing):
		return Bundle{}, fmt.Errorf("outgoing cannot be %q", b.Outgoing)
	case !slices.Contains([]consent.IncomingOption{consent.IncomingOff, consent.IncomingAll, consent.IncomingPolicy}, b.Incoming):
		return Bundle{}, fmt.Errorf("incoming cannot be %q", b.Incoming)
	}
	if p := b.Policy; p != nil {
		switch {
		case p.ID == "" || p.Version < 1:
			return Bundle{}, errors.New("their policy has no id or version")
		case p.Version < t.Policies[p.ID]:
			return Bundle{}, fmt.Errorf("policy %s is older than version %d", p, t.Policies[p.ID])
		}
		values, problems := policy.ParseSettings(p.String(), p.Settings)
		if len(problems) > 0 {
			return Bundle{}, fmt.Errorf("policy %s, and %d problems in all", problems[0], len(problems))
		}
		for i := range values {
			values[i].Origin = policy.Origin{Name: policy.FromServer, Scope: policy.Machine, File: p.String()}
		}
		b.Values = values
	}
	if err := b.vouched(t); err != nil {
		return Bundle{}, err
	}
	return b, nil
}

// vouched refuses what may allow without a question and is not vouched for. A
// release is one whole: the server may make it stricter, but not drop a value of it.
func (b *Bundle) vouched(t Trust) error {
	loose := policy.Loosens(b.Values)
	if len(loose) == 0 && b.Incoming == consent.IncomingOff || t.ServerReleases() {
		return nil
	}
	what := "incoming recording"
	if len(loose) > 0 {
		what = string(loose[0].Name) + " = " + loose[0].String()
	}
	if t.ReleaseKey == nil || b.Policy == nil || len(b.Policy.Release) == 0 {
		return fmt.Errorf("%s can allow without a question and needs the company's release key", what)
	}
	r, values, err := OpenRelease(b.Policy.Release, t.ReleaseKey)
	switch {
	case err != nil:
		return err
	case r.Company != b.Company || r.Policy != b.Policy.ID || r.Version != b.Policy.Version:
		return errors.New("the release is of another policy")
	case !r.VouchesIncoming(b.Incoming, b.IncomingEnforced):
		return errors.New("the release does not vouch for incoming recording")
	}
	for _, v := range loose {
		if !policy.Vouched(v, values) {
			return fmt.Errorf("the release does not vouch for %s = %s", v.Name, v)
		}
	}
	for _, v := range values { // nor may the server leave out what makes it stricter
		if !policy.Vouched(v, b.Values) {
			return fmt.Errorf("the release says %s = %s, and they do not", v.Name, v)
		}
	}
	if r.Expires.Before(b.Until) {
		b.Until = r.Expires
	}
	return nil
}

// VouchesIncoming tells whether the release lets a company ask so about incoming
// sessions; off needs nobody's word.
func (r Release) VouchesIncoming(o consent.IncomingOption, enforced bool) bool {
	return o == consent.IncomingOff || r.Incoming == o && (r.IncomingEnforced || !enforced)
}

// OpenRelease verifies a release and returns it with its values.
func OpenRelease(envelope []byte, key ed25519.PublicKey) (Release, []policy.Value, error) {
	var r Release
	if _, err := OpenAs(envelope, OneKey(key), TypeRelease, &r); err != nil {
		return Release{}, nil, fmt.Errorf("verify release: %w", err)
	}
	values, problems := policy.ParseSettings("release", r.Settings)
	switch {
	case r.V != 1 || r.Company == "" || r.Policy == "" || r.Version < 1 || !r.Expires.After(r.At):
		return Release{}, nil, fmt.Errorf("verify release: %w", ErrMalformed)
	case len(problems) > 0:
		return Release{}, nil, fmt.Errorf("verify release: %s", problems[0])
	}
	return r, values, nil
}
