package company

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aval/agent/policy"
	"aval/agent/record"
	"aval/summarizer/store"
)

// ReleaseLife is how long a release is in force where its signer says nothing else.
const ReleaseLife = 90 * 24 * time.Hour

// maxPolicyName is the longest name of a policy in characters.
const maxPolicyName = 60

// Policy is a policy as the commands show it.
type Policy struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Version is the last published one; 0: never.
	Version     int64     `json:"version"`
	PublishedAt time.Time `json:"published_at,omitzero"`
	// ReleasedUntil is when its release by the company's release key ends.
	ReleasedUntil time.Time        `json:"released_until,omitzero"`
	Settings      []policy.Setting `json:"settings"` // the draft
	Changed       bool             `json:"changed"`  // the draft is not what is published
	// Devices it is assigned to, by id, and groups, by name; All: to every device
	// that neither has one of its own nor is in a group that has one.
	Devices []string `json:"devices"`
	Groups  []string `json:"groups"`
	All     bool     `json:"all"`
	// Reach is how many devices have it, in whatever version.
	Reach int `json:"reach"`
}

// Target is what a policy is assigned to. The one of a device counts before the
// one of its group, and that one before the one of all devices.
type Target string

// Targets. The other ones are ToDevice and ToGroup.
const ToAll Target = "all"

// ToDevice is one device, by its id or name.
func ToDevice(which string) Target { return Target("device:" + which) }

// ToGroup is a group of devices, by its name or id.
func ToGroup(which string) Target { return Target("group:" + which) }

// CreatePolicy makes an empty policy.
func (s *Service) CreatePolicy(ctx context.Context, name string) (Policy, error) {
	if err := checkTitle(name); err != nil {
		return Policy{}, fmt.Errorf("create policy: %w", err)
	}
	now := s.now()
	p := store.Policy{ID: store.NewID(now), Company: s.id, Name: name, Draft: "[]", CreatedAt: now}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertPolicy(p); errors.Is(err, store.ErrExists) {
			return taken("policy", name)
		} else if err != nil {
			return err
		}
		return s.note(tx, entry{kind: ChangePolicy, action: "policy-created", subject: p.ID, name: name, new: name})
	})
	if err != nil {
		return Policy{}, fmt.Errorf("create policy: %w", err)
	}
	return Policy{ID: p.ID, Name: name, Settings: []policy.Setting{}, Devices: []string{}, Groups: []string{}}, nil
}

// Policies lists all policies by name.
func (s *Service) Policies(ctx context.Context) (list []Policy, err error) {
	list = []Policy{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		assigned, err := tx.Assignments(s.id)
		if err != nil {
			return err
		}
		groups, err := tx.Groups(s.id)
		if err != nil {
			return err
		}
		all, err := tx.Policies(s.id)
		if err != nil {
			return err
		}
		for _, p := range all {
			v, err := describe(tx, p, assigned, groups)
			if err != nil {
				return err
			}
			list = append(list, v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return list, nil
}

// Policy returns one policy by its name.
func (s *Service) Policy(ctx context.Context, name string) (out Policy, err error) {
	list, err := s.Policies(ctx)
	if err != nil {
		return Policy{}, err
	}
	i := slices.IndexFunc(list, func(p Policy) bool { return p.Name == name })
	if i < 0 {
		return Policy{}, noPolicy(name)
	}
	return list[i], nil
}

func noPolicy(name string) error {
	return wrongf("there is no policy %q: aval-summarizer policy list shows them", name)
}

func describe(tx *store.Tx, p store.Policy, assigned map[string]string, groups []store.DeviceGroup) (Policy, error) {
	out := Policy{ID: p.ID, Name: p.Name, Version: p.Version, Changed: true, Devices: []string{}, Groups: []string{}, All: assigned[""] == p.ID}
	for _, g := range groups {
		if g.Policy == p.ID {
			out.Groups = append(out.Groups, g.Name)
		}
	}
	var err error
	if out.Reach, err = tx.PolicyReach(p.Company, p.ID); err != nil {
		return out, err
	}
	if out.Settings, err = decodeDraft(p.Draft); err != nil {
		return out, err
	}
	for device, id := range assigned {
		if id == p.ID && device != "" {
			out.Devices = append(out.Devices, device)
		}
	}
	slices.Sort(out.Devices)
	if p.Version == 0 {
		return out, nil
	}
	v, err := tx.PolicyVersion(p.ID, p.Version)
	if err != nil {
		return out, err
	}
	out.PublishedAt, out.Changed = v.PublishedAt.UTC(), v.Settings != p.Draft
	if len(v.Release) > 0 {
		_, payload, err := record.Peek(v.Release)
		var r record.Release
		if err == nil && json.Unmarshal(payload, &r) == nil {
			out.ReleasedUntil = r.Expires
		}
	}
	return out, nil
}

// decodeDraft reads settings as they are stored.
func decodeDraft(raw string) ([]policy.Setting, error) {
	set := []policy.Setting{}
	if err := json.Unmarshal([]byte(raw), &set); err != nil {
		return nil, fmt.Errorf("decode policy: %w", err)
	}
	return set, nil
}

// Invalid is a policy that would not be valid, with everything that is wrong.
type Invalid struct{ Problems []policy.Problem }

func (e *Invalid) Error() string {
	all := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		all = append(all, p.String())
	}
	return strings.Join(all, "; ")
}

// SetPolicy changes values of a policy's draft and takes others out of it. It is
// done wholly or, with *Invalid, not at all. Devices see it once it is published.
func (s *Service) SetPolicy(ctx context.Context, name string, set []policy.Setting, unset []policy.Name) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		draft, err := decodeDraft(p.Draft)
		if err != nil {
			return err
		}
		var problems []policy.Problem
		for _, n := range unset {
			if !slices.ContainsFunc(draft, func(d policy.Setting) bool { return d.Key == n }) {
				problems = append(problems, policy.Problem{File: name, Key: string(n), Wrong: "is not set in this policy"})
			}
		}
		draft = slices.DeleteFunc(draft, func(d policy.Setting) bool {
			return slices.Contains(unset, d.Key) || slices.ContainsFunc(set, func(c policy.Setting) bool { return c.Key == d.Key })
		})
		draft = append(draft, set...)
		_, more := policy.ParseSettings(name, draft)
		if problems = append(problems, more...); len(problems) > 0 {
			return &Invalid{problems}
		}
		slices.SortStableFunc(draft, func(a, b policy.Setting) int { return strings.Compare(string(a.Key), string(b.Key)) })
		raw, err := json.Marshal(draft)
		if err != nil {
			return err
		}
		return s.draft(tx, p, string(raw), 0)
	})
	if err != nil {
		return fmt.Errorf("set policy: %w", err)
	}
	return nil
}

// draft gives a policy another draft.
func (s *Service) draft(tx *store.Tx, p store.Policy, draft string, undoes int64) error {
	if draft == p.Draft {
		return nil
	}
	if err := tx.DraftPolicy(p.ID, draft, s.now()); err != nil {
		return err
	}
	return s.note(tx, entry{ChangeDraft, "policy-changed", p.ID, p.Name, json.RawMessage(p.Draft), json.RawMessage(draft), undoes})
}

func (s *Service) undoDraft(tx *store.Tx, c store.Change) error {
	p, err := tx.Policy(s.id, c.Subject)
	if err != nil {
		return err
	}
	if p.Draft != c.New {
		return ErrChangedSince
	}
	return s.draft(tx, p, c.Old, c.Number)
}

// AssignPolicy assigns a policy; an empty name takes the assignment away.
// Devices that are connected hear of it within seconds.
func (s *Service) AssignPolicy(ctx context.Context, name string, to Target) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		var p store.Policy
		if name != "" {
			var err error
			if p, err = s.named(tx, name); err != nil {
				return err
			}
			if p.Version == 0 {
				return wrongf("policy %q was never published: publish it first", name)
			}
		}
		kind, which, _ := strings.Cut(string(to), ":")
		switch kind {
		case "group":
			g, err := s.groupFor(tx, which)
			if err != nil {
				return err
			}
			to, which = ToGroup(g.ID), g.Name
		case "device":
			d, err := s.deviceFor(tx, which)
			if err != nil {
				return err
			}
			if err := managed(d); err != nil {
				return err
			}
			to, which = ToDevice(d.ID), d.Name
		case string(ToAll):
		default:
			return wrongf("a policy cannot be assigned to %q", to)
		}
		return s.assign(tx, to, which, p.ID, 0)
	})
	if err != nil {
		return fmt.Errorf("assign policy: %w", err)
	}
	return nil
}

// assigned is a policy as the history names it.
type assigned struct {
	Policy string `json:"policy"`
	Name   string `json:"name"`
}

// assignment is the policy that a target has; nil: none.
func (s *Service) assignment(tx *store.Tx, to Target) (*assigned, error) {
	kind, which, _ := strings.Cut(string(to), ":")
	var id string
	if kind == "group" {
		g, err := tx.Group(s.id, which)
		if err != nil {
			return nil, err
		}
		id = g.Policy
	} else {
		all, err := tx.Assignments(s.id)
		if err != nil {
			return nil, err
		}
		id = all[which]
	}
	if id == "" {
		return nil, nil
	}
	p, err := tx.Policy(s.id, id)
	return &assigned{p.ID, p.Name}, err
}

// assign gives a target, whose group or device is named by its id, a policy; the
// empty one takes it away.
func (s *Service) assign(tx *store.Tx, to Target, name, policy string, undoes int64) error {
	before, err := s.assignment(tx, to)
	if err != nil {
		return err
	}
	kind, which, _ := strings.Cut(string(to), ":")
	if kind == "group" {
		err = tx.AssignGroupPolicy(s.id, which, policy)
	} else {
		err = tx.AssignPolicy(s.id, which, policy)
	}
	if err != nil {
		return err
	}
	after, err := s.assignment(tx, to)
	if err != nil {
		return err
	}
	if before == nil && after == nil || before != nil && after != nil && *before == *after {
		return nil
	}
	if err := s.note(tx, entry{ChangeAssigned, "policy-assigned", string(to), name, before, after, undoes}); err != nil {
		return err
	}
	return s.changed(tx)
}

func (s *Service) undoAssigned(tx *store.Tx, c store.Change) error {
	is, err := s.assignment(tx, Target(c.Subject))
	if err != nil {
		return err
	}
	if !same(is, c.New) {
		return ErrChangedSince
	}
	var was *assigned
	if err := json.Unmarshal([]byte(c.Old), &was); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	if was == nil {
		was = &assigned{}
	}
	return s.assign(tx, Target(c.Subject), c.Name, was.Policy, c.Number)
}

// Draft is what the release key signs to have a policy's draft published: the
// body of a release, without its times.
func (s *Service) Draft(ctx context.Context, name string) (r record.Release, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		r = record.Release{V: 1, Company: s.id, Policy: p.ID, Name: p.Name, Version: p.Version + 1,
			Incoming: set.Incoming, IncomingEnforced: set.IncomingEnforced}
		r.Settings, err = decodeDraft(p.Draft)
		return err
	})
	if err != nil {
		return record.Release{}, fmt.Errorf("draft policy: %w", err)
	}
	return r, nil
}

// SignRelease signs a draft with the company's release key.
func SignRelease(key ed25519.PrivateKey, draft record.Release, now time.Time, life time.Duration) ([]byte, error) {
	draft.At, draft.Expires = now.UTC(), now.Add(life).UTC()
	env, err := record.Sign(key, record.TypeRelease, draft)
	if err == nil {
		_, _, err = record.OpenRelease(env, key.Public().(ed25519.PublicKey))
	}
	if err != nil {
		return nil, fmt.Errorf("sign release: %w", err)
	}
	return env, nil
}

// PublishPolicy makes a policy's draft its next version and gives it to the
// devices. Where the company has a release key of its own, values that can allow
// without a question need release, signed with it over exactly this draft.
func (s *Service) PublishPolicy(ctx context.Context, name string, release []byte) (version int64, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		version, err = s.publish(tx, p, release, 0)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("publish policy: %w", err)
	}
	return version, nil
}

// ErrRelease: what is to be published can allow without a question and needs the
// company's release key.
var ErrRelease = errors.New("it needs the company's release key: aval-summarizer policy draft, then policy sign --key F, then publish --signed FILE")

// published is a policy's version as the history keeps it.
type published struct {
	Version  int64           `json:"version"`
	Settings json.RawMessage `json:"settings"`
}

// publish makes a policy's draft its next version.
func (s *Service) publish(tx *store.Tx, p store.Policy, release []byte, undoes int64) (version int64, err error) {
	c, err := tx.Company(s.id)
	if err != nil {
		return 0, err
	}
	version = p.Version + 1
	draft, err := decodeDraft(p.Draft)
	if err != nil {
		return 0, err
	}
	values, problems := policy.ParseSettings(p.Name, draft)
	if len(problems) > 0 {
		return 0, &Invalid{problems}
	}
	set := decodeSettings(c.Settings)
	if loose := policy.Loosens(values); len(set.ReleaseKey) > 0 && len(loose) > 0 && release == nil {
		return 0, fmt.Errorf("%s = %s can allow without a question: %w", loose[0].Name, loose[0], ErrRelease)
	}
	if release != nil {
		if err := checkRelease(release, set.ReleaseKey, p, version, s.id, s.now()); err != nil {
			return 0, err
		}
	}
	var before *published
	if p.Version > 0 {
		v, err := tx.PolicyVersion(p.ID, p.Version)
		if err != nil {
			return 0, err
		}
		before = &published{v.Version, json.RawMessage(v.Settings)}
	}
	v := store.PolicyVersion{Policy: p.ID, Version: version, Settings: p.Draft, Release: release, PublishedAt: s.now()}
	if err := tx.PublishPolicy(v); err != nil {
		return 0, err
	}
	if err := s.note(tx, entry{ChangePublished, "policy-published", p.ID, p.Name, before, published{version, json.RawMessage(p.Draft)}, undoes}); err != nil {
		return 0, err
	}
	return version, s.changed(tx)
}

// undoPublished publishes the settings of before once more, as a new version:
// versions only go up.
func (s *Service) undoPublished(tx *store.Tx, c store.Change) error {
	var was, is published
	if err := errors.Join(json.Unmarshal([]byte(c.Old), &was), json.Unmarshal([]byte(c.New), &is)); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	p, err := tx.Policy(s.id, c.Subject)
	if err != nil {
		return err
	}
	if p.Version != is.Version || p.Draft != string(is.Settings) {
		return ErrChangedSince
	}
	if err := s.draft(tx, p, string(was.Settings), c.Number); err != nil {
		return err
	}
	p.Draft = string(was.Settings)
	_, err = s.publish(tx, p, nil, c.Number)
	return err
}

// Version is one published version of a policy.
type Version struct {
	Version     int64            `json:"version"`
	PublishedAt time.Time        `json:"published_at"`
	Settings    []policy.Setting `json:"settings"`
	Released    bool             `json:"released"` // with the company's release key
}

// PolicyVersions lists a policy's last published versions, newest first.
func (s *Service) PolicyVersions(ctx context.Context, name string, limit int) (out []Version, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		list, err := tx.PolicyVersions(s.id, p.ID, limit)
		for _, v := range list {
			settings, err := decodeDraft(v.Settings)
			if err != nil {
				return err
			}
			out = append(out, Version{v.Version, v.PublishedAt, settings, len(v.Release) > 0})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	return out, nil
}

// checkRelease holds a release against the draft that is to be published.
func checkRelease(envelope []byte, key ed25519.PublicKey, p store.Policy, version int64, company string, now time.Time) error {
	if len(key) == 0 {
		return errors.New("this company has no release key of its own: aval-summarizer policy release-key")
	}
	r, _, err := record.OpenRelease(envelope, key)
	if err != nil {
		return err
	}
	settings, err := json.Marshal(r.Settings)
	if err != nil {
		return err
	}
	switch {
	case r.Company != company || r.Policy != p.ID || r.Version != version:
		return fmt.Errorf("the signed file is of policy %q version %d", r.Name, r.Version)
	case !bytes.Equal(settings, []byte(p.Draft)):
		return errors.New("the draft has changed since it was signed: make a new draft and have it signed")
	case !now.Before(r.Expires):
		return errors.New("the signed file has expired")
	}
	return nil
}

// SetReleaseKey makes a key that is kept elsewhere the company's release key. It
// is pinned by devices that are enrolled from now on; the others keep what they
// have. nil: the server's own key again.
func (s *Service) SetReleaseKey(ctx context.Context, key ed25519.PublicKey) error {
	if len(key) != 0 && len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("set release key: it has %d bytes, not %d", len(key), ed25519.PublicKeySize)
	}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		before := keyName(set.ReleaseKey)
		set.ReleaseKey = key
		c.Settings = set.encode()
		if err := tx.UpdateCompany(c); err != nil {
			return err
		}
		return s.note(tx, entry{kind: ChangeReleaseKey, action: "release-key-set", subject: keyName(key), old: before, new: keyName(key)})
	})
	if err != nil {
		return fmt.Errorf("set release key: %w", err)
	}
	return nil
}

// keyName is the id of a release key; server where it is the server's own.
func keyName(key ed25519.PublicKey) string {
	if len(key) == 0 {
		return "server"
	}
	return record.KeyID(key)
}

// named looks a policy up for people.
func (s *Service) named(tx *store.Tx, name string) (store.Policy, error) {
	p, err := tx.PolicyNamed(s.id, name)
	if errors.Is(err, store.ErrNotFound) {
		return p, noPolicy(name)
	}
	return p, err
}

// changed makes every device's bundle one to be signed again.
func (s *Service) changed(tx *store.Tx) error {
	c, err := tx.Company(s.id)
	if err != nil {
		return err
	}
	return tx.UpdateCompany(c)
}

func (s *Service) audit(tx *store.Tx, action, subject, detail string) error {
	return tx.AddAudit(store.Audit{Company: s.id, At: s.now(), Actor: s.actor.String(), Action: action, Subject: subject, Detail: detail})
}
