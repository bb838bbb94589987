package record

import (
	"fmt"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/strict"
)

// MaxGrantAge is the longest that a session is recorded without a new decision.
const MaxGrantAge = 8 * time.Hour

// Head is what every record starts with.
type Head struct {
	// V is the version of the body's format: 1.
	V int `json:"v"`
	// ID is a ULID, unique for the device.
	ID string `json:"id"`
	// At is when the record was made, by the device's clock, UTC.
	At time.Time `json:"at"`
	// Company and Device are the ids given at enrolment.
	Company string `json:"company"`
	Device  string `json:"device"`
	// Session is TOOL/ID.
	Session string `json:"session"`
}

// Decided is what was decided and out of what: enough to explain it later.
type Decided struct {
	Tool              string `json:"tool"`
	Supporter         string `json:"supporter"`
	SupporterVerified bool   `json:"supporter_verified"`
	// SupporterID shows that two sessions are of the same supporter: "ssh-key:"
	// with the key's fingerprint, or "root:" with the name that root's hook gave;
	// empty: a name that is only claimed.
	SupporterID string `json:"supporter_id,omitempty"`
	CompanyName string `json:"company_name"`
	// CompanyHost is the name of the server of a company that asked by a session
	// code, or in whose account the person was signed in, as TLS verified it; empty:
	// the computer was enrolled with the company. Request is the id of what it asked
	// with, where it was a code or an announcement.
	CompanyHost string            `json:"company_host,omitempty"`
	Request     string            `json:"request,omitempty"`
	Direction   consent.Direction `json:"direction"`
	Input       consent.Input     `json:"input"`
	Decision    consent.Decision  `json:"decision"`
	// Narrowed: what consent.Decide made of Input was no denial, and this is why it
	// became the one that Decision holds.
	Narrowed      Narrowed           `json:"narrowed,omitempty"`
	Outcome       consent.Outcome    `json:"outcome"`
	Ending        consent.Ending     `json:"ending,omitempty"`
	Provenance    consent.Provenance `json:"provenance,omitempty"`
	PolicyOrigin  string             `json:"policy_origin"`
	PolicySHA256  string             `json:"policy_sha256"`
	PolicyVersion int64              `json:"policy_version"`
	// ServerReleases: the company's server may by itself send values that allow
	// recording without a question, for no separate release key is pinned.
	ServerReleases bool `json:"server_releases,omitempty"`
	// Subject is a salted hash of the desktop's user. Subjects are those of all
	// users where several may be the one that is viewed, and the first is Subject.
	Subject          string    `json:"subject"`
	Subjects         []string  `json:"subjects,omitempty"`
	Desktop          string    `json:"desktop"` // the desktop session that was asked or viewed
	Asked            *Asked    `json:"asked,omitempty"`
	SessionStartedAt time.Time `json:"session_started_at"`
	AgentVersion     string    `json:"agent_version"`
}

// Narrowed is why what might have been recorded, or asked about, was denied.
type Narrowed string

// The reasons of Narrowed.
const (
	// NarrowedToNothing: of the groups that the desktop can deliver, the policy and
	// the person's own choice left none.
	NarrowedToNothing Narrowed = "no-group-left"
	// NarrowedMeanwhile: a policy that became stricter asks for a question about what
	// runs without one.
	NarrowedMeanwhile Narrowed = "policy-now-asks"
)

// follows tells whether the decision comes out of the input.
func (d Decided) follows() bool {
	table := consent.Decide(d.Input)
	switch d.Narrowed {
	case "":
		return table == d.Decision
	case NarrowedToNothing:
		return (table.Verdict == consent.Ask || table.Verdict == consent.Allow) && d.denied()
	case NarrowedMeanwhile:
		return table.Verdict == consent.Ask && d.denied()
	}
	return false
}

func (d Decided) denied() bool {
	return d.Decision.Verdict == consent.Deny && d.Decision.Basis == consent.BasisNone && !d.Decision.Notice
}

// Concerns tells whether a record is about a user, of one or of several.
func (d Decided) Concerns(subject string) bool {
	return subject != "" && (d.Subject == subject || slices.Contains(d.Subjects, subject))
}

// subjects are all whom a record is about.
func (d Decided) subjects() []string {
	if len(d.Subjects) == 0 && d.Subject != "" {
		return []string{d.Subject}
	}
	return d.Subjects
}

// Asked is how a question went.
type Asked struct {
	AskedAt  time.Time `json:"asked_at"`
	ShownAt  time.Time `json:"shown_at,omitzero"`
	EndedAt  time.Time `json:"ended_at"`
	Rung     string    `json:"rung"` // window or native; empty: none could show it
	Locale   string    `json:"locale,omitempty"`
	TextHash string    `json:"text_sha256,omitempty"` // of the text as it was shown
	// Offered are the groups that the question offered.
	Offered []event.Group `json:"offered"`
	// NotCounted is how often a yes was given that did not count, because no
	// hand at this computer was known to have given it.
	NotCounted int `json:"not_counted,omitempty"`
	// OfferedMinutes is for how long the question offered to allow further
	// sessions; 0: for this one only.
	OfferedMinutes int `json:"offered_minutes,omitempty"`
}

// Grant is the record without which nothing is captured.
type Grant struct {
	Head
	Decided
	Basis  consent.Basis `json:"basis"`
	Groups []event.Group `json:"groups"`
	// NotBefore and Expires bound the time of the events, by the device's clock.
	NotBefore time.Time `json:"not_before"`
	Expires   time.Time `json:"expires"`
	// Engine that the company uses for summaries, see consent.Engine. No other may
	// read the events.
	Engine string `json:"engine"`
	// RetentionDays is how long the company said that it keeps the record.
	RetentionDays int `json:"retention_days"`
	// Notice is whether the person was told rather than asked.
	Notice bool `json:"notice"`
	// ForMinutes is for how long the person allowed further sessions of the same
	// supporter, company and groups with this answer; 0: this session only.
	ForMinutes int `json:"for_minutes,omitempty"`
	// Answer is the id of the grant whose answer this one rests on, where the
	// person had said that it holds for further sessions; empty: its own.
	Answer string `json:"answer,omitempty"`
	// Test marks grants whose clicks came from devices that a policy named for tests.
	Test bool `json:"test,omitempty"`
}

// Refusal records every decision after which nothing is captured and that was
// not left unanswered: refused, denied and not-requested.
type Refusal struct {
	Head
	Decided
}

// NoAnswer records no-answer and could-not-ask. Silence is never a refusal.
type NoAnswer struct {
	Head
	Decided
}

// Confirmation says that a recording of which nobody knew whose hand had allowed
// it, or had asked to delete it, was sent after the supporter had left. It stays on the device.
type Confirmation struct {
	Head
	Grant string `json:"grant"`
	// Subject is who said so, where the grant is about several; all must.
	Subject string `json:"subject,omitempty"`
	// LastSeq is the last event that it is about.
	LastSeq    uint64             `json:"last_seq"`
	Provenance consent.Provenance `json:"provenance"`
	Asked      Asked              `json:"asked"`
	// DeleteAsked: somebody had asked to delete it while a supporter was there.
	DeleteAsked bool `json:"delete_asked,omitempty"`
}

// Withdrawal ends a grant from At on.
type Withdrawal struct {
	Head
	Grant string `json:"grant"`
	// LastSeq is the last event of the stream that was made before it.
	LastSeq uint64 `json:"last_seq"`
	// Erase asks the company to delete what it has.
	Erase      bool               `json:"erase"`
	By         string             `json:"by"` // person, policy, agent
	Provenance consent.Provenance `json:"provenance,omitempty"`
	// Test marks presses of devices that a policy names for tests.
	Test bool `json:"test,omitempty"`
}

// Erasure says that a session's key was destroyed on this computer.
type Erasure struct {
	Head
	Grant  string         `json:"grant"`
	Copies []consent.Copy `json:"copies"`
}

// Objection is what takes the place of a withdrawal under an enforced policy.
type Objection struct {
	Head
	Grant      string             `json:"grant"`
	Provenance consent.Provenance `json:"provenance,omitempty"`
	Test       bool               `json:"test,omitempty"` // as in Withdrawal
}

// Verified is a grant whose signature, time and body were checked. It can only
// be made by VerifyGrant: to hold one is to be allowed to capture.
type Verified struct {
	grant Grant
	raw   []byte
}

// VerifyGrant opens raw, checks it and returns the grant as a capability.
// The grant must be of this very second: not before not_before, not expired.
func VerifyGrant(raw []byte, keys Keys, now time.Time) (Verified, error) {
	g, _, err := OpenGrant(raw, keys)
	if err != nil {
		return Verified{}, err
	}
	if now.Before(g.NotBefore) || !now.Before(g.Expires) {
		return Verified{}, fmt.Errorf("grant %s is not valid at %s", g.ID, now.UTC().Format(time.RFC3339))
	}
	return Verified{grant: g, raw: slices.Clone(raw)}, nil
}

// OpenGrant verifies signature and body of a grant, whatever the time is: what
// the summarizer does, for events may arrive long after the grant has ended.
func OpenGrant(raw []byte, keys Keys) (Grant, string, error) {
	var g Grant
	keyID, err := OpenAs(raw, keys, TypeGrant, &g)
	if err != nil {
		return Grant{}, "", err
	}
	return g, keyID, g.check()
}

// OpenAs verifies raw, requires the type and decodes the body into body.
func OpenAs(raw []byte, keys Keys, want Type, body any) (keyID string, err error) {
	typ, payload, keyID, err := Open(raw, keys)
	if err != nil {
		return "", err
	}
	if typ != want {
		return "", fmt.Errorf("%w: %s instead of %s", ErrWrongType, typ, want)
	}
	if err := strict.Decode(payload, body); err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return keyID, nil
}

// check refuses grants that no agent would make.
func (g Grant) check() error {
	switch {
	case g.V != 1:
		return fmt.Errorf("%w: version %d", ErrMalformed, g.V)
	case g.ID == "" || g.Company == "" || g.Device == "" || g.Session == "":
		return fmt.Errorf("%w: id, company, device or session is missing", ErrMalformed)
	case !g.Expires.After(g.NotBefore) || g.Expires.Sub(g.NotBefore) > MaxGrantAge:
		return fmt.Errorf("%w: valid from %s to %s", ErrMalformed, g.NotBefore, g.Expires)
	case g.Provenance == consent.PX:
		return fmt.Errorf("%w: provenance PX never grants", ErrMalformed)
	case g.Outcome != consent.OutcomeAllowed:
		return fmt.Errorf("%w: outcome %q is no grant", ErrMalformed, g.Outcome)
	}
	switch g.Basis {
	case consent.BasisConsent:
		if err := g.checkAnswer(); err != nil {
			return err
		}
	case consent.BasisStandingSetting, consent.BasisPolicy, consent.BasisEnforcedPolicy:
		if g.Decision.Verdict != consent.Allow || g.Decision.Basis != g.Basis {
			return fmt.Errorf("%w: basis %q without its decision", ErrMalformed, g.Basis)
		}
	default:
		return fmt.Errorf("%w: basis %q", ErrMalformed, g.Basis)
	}
	if g.Basis != consent.BasisConsent && (g.Answer != "" || g.ForMinutes != 0) {
		return fmt.Errorf("%w: basis %q with an answer for further sessions", ErrMalformed, g.Basis)
	}
	if len(g.Groups) == 0 {
		return fmt.Errorf("%w: no group", ErrMalformed)
	}
	for _, gr := range g.Groups {
		if !slices.Contains(event.Groups, gr) {
			return fmt.Errorf("%w: group %q", ErrMalformed, gr)
		}
	}
	return nil
}

// Grant returns the verified body.
func (v Verified) Grant() Grant { return v.grant }

// Raw returns the signed bytes.
func (v Verified) Raw() []byte { return slices.Clone(v.raw) }

// Valid tells whether v came from VerifyGrant and is within its time at now.
func (v Verified) Valid(now time.Time) bool {
	return v.raw != nil && !now.Before(v.grant.NotBefore) && now.Before(v.grant.Expires)
}

// Covers tells whether the grant covers kind k at time at.
func (v Verified) Covers(k event.Kind, at time.Time) bool {
	return v.Valid(at) && event.Covered(k, v.grant.Groups)
}
