package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"aval/summarizer/store"
)

// DevicesPage is how many devices one page of the list has at most.
const DevicesPage = 50

// maxMove is how many devices are moved at once.
const maxMove = 500

// Device is a computer as commands and pages show it.
type Device struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Hostname string `json:"hostname"` // what it calls itself: not verified
	// Managed: it is enrolled. Otherwise somebody there is signed in to an Account, or
	// it is the key of one session, by a code.
	Managed bool `json:"managed"`
	// Account is the id of the user in whose account it is; empty: in none's.
	Account     string `json:"account,omitempty"`
	AccountName string `json:"account_name,omitempty"`
	Group       string `json:"group,omitempty"` // its name
	GroupID     string `json:"group_id,omitempty"`
	Version     string `json:"version"` // of the agent
	// Policy is what the computer was last given; nil: none.
	Policy *Given `json:"policy,omitempty"`
	// Waits: something was changed that it has not been given yet.
	Waits      bool          `json:"waits"`
	EnrolledAt time.Time     `json:"enrolled_at"`
	LastSeenAt time.Time     `json:"last_seen_at,omitzero"`
	ClockSkew  time.Duration `json:"clock_skew_ns"`
	RevokedAt  time.Time     `json:"revoked_at,omitzero"`
	// Reach is what it said last of whether somebody there could be asked; nil:
	// nothing yet, or it is no computer of the company's.
	Reach *Reach `json:"reach,omitempty"`
	// LogBrokenAt is when its log of records first did not continue what the company
	// had seen of it; LogBreak says more, only for a single device.
	LogBrokenAt time.Time `json:"log_broken_at,omitzero"`
	LogBreak    *LogBreak `json:"log_break,omitempty"`
	// LeftAt is when it said itself that it is the company's no more.
	LeftAt time.Time `json:"left_at,omitzero"`
	// Session is the last one of it that was recorded; only for a single device.
	LastSessionAt time.Time `json:"last_session_at,omitzero"`
	// Assigned says where its policy comes from: device, group or all; only for a
	// single device.
	Assigned string `json:"assigned,omitempty"`
}

// Given is a policy's version as a device has it.
type Given struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Version int64     `json:"version"`
	Since   time.Time `json:"since"`
}

// DeviceFilter says which devices are wanted.
type DeviceFilter struct {
	Kind    store.DeviceKind // empty: all computers
	Revoked bool             // those that were revoked instead of those that were not
	Search  string           // in the name, accents and case do not count; or the id
	Group   string           // a group's id; NoGroup: in none
	Policy  string           // the id of the policy that it was given
	Reach   Reached          // empty: whatever it said; otherwise managed ones alone
	After   string           // where the page before ended
	Limit   int              // 0: DevicesPage
}

// NoGroup stands for the devices that are in no group.
const NoGroup = "none"

// ErrCursor: the place in a list is none.
var ErrCursor = errors.New("the place in the list cannot be read")

// Devices lists devices, those enrolled last first; next is where the next page
// begins, empty where there is none.
func (s *Service) Devices(ctx context.Context, f DeviceFilter) (out []Device, next string, err error) {
	if f.Limit <= 0 || f.Limit > 1000 {
		f.Limit = DevicesPage
	}
	q := store.DeviceQuery{Kind: f.Kind, Revoked: f.Revoked, Search: fold(f.Search), Group: f.Group, Policy: f.Policy, Limit: f.Limit + 1}
	if q.Reach = f.Reach.states(); f.Reach != "" {
		if q.Kind = store.Managed; len(q.Reach) == 0 {
			return nil, "", fmt.Errorf("list devices: %w", ErrReach)
		}
	}
	if f.Group == NoGroup {
		q.Group, q.Ungrouped = "", true
	}
	if f.After != "" {
		at, id, ok := strings.Cut(f.After, ".")
		n, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil || id == "" {
			return nil, "", fmt.Errorf("list devices: %w", ErrCursor)
		}
		q.After = store.DeviceCursor{EnrolledAt: time.Unix(0, n), ID: id}
	}
	out = []Device{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err := tx.DevicePage(s.id, q)
		if err != nil {
			return err
		}
		if len(list) > f.Limit {
			list = list[:f.Limit]
			last := list[f.Limit-1]
			next = fmt.Sprintf("%d.%s", last.EnrolledAt.UnixNano(), last.ID)
		}
		v, err := s.viewDevices(tx)
		if err != nil {
			return err
		}
		for _, d := range list {
			if err := v.meet(tx, d); err != nil {
				return err
			}
			out = append(out, v.device(d))
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("list devices: %w", err)
	}
	return out, next, nil
}

// Device returns one device by its id or, where only one computer that is not
// revoked has it, by its name; ErrNoDevice.
func (s *Service) Device(ctx context.Context, which string) (out Device, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		d, err := s.deviceFor(tx, which)
		if err != nil {
			return err
		}
		v, err := s.viewDevices(tx)
		if err != nil {
			return err
		}
		if err := v.meet(tx, d); err != nil {
			return err
		}
		out = v.device(d)
		if out.LastSessionAt, err = tx.LastSession(s.id, d.ID); err != nil {
			return err
		}
		if !out.LogBrokenAt.IsZero() {
			l, err := tx.DeviceLog(s.id, d.ID)
			if err != nil {
				return err
			}
			out.LogBreak = &LogBreak{At: l.BrokenAt, Times: l.Broken, Kept: headOf(l.Kept), Other: headOf(l.Other)}
		}
		if !out.Managed {
			return nil
		}
		_, _, out.Assigned, err = tx.PolicyOf(s.id, d.ID)
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return Device{}, fmt.Errorf("show device: %w", err)
	}
	return out, nil
}

// viewer knows the names that a device's row only has the ids of.
type viewer struct {
	settings int64
	groups   map[string]string
	policies map[string]string
	users    map[string]string // of the accounts that were met
}

// meet looks up in whose account a device is.
func (v viewer) meet(tx *store.Tx, d store.Device) error {
	if _, known := v.users[d.Account]; known || d.Account == "" {
		return nil
	}
	u, err := tx.User(d.Company, d.Account)
	if err == nil {
		v.users[u.ID] = u.Name
	}
	return err
}

func (s *Service) viewDevices(tx *store.Tx) (viewer, error) {
	v := viewer{groups: map[string]string{}, policies: map[string]string{}, users: map[string]string{}}
	c, err := tx.Company(s.id)
	if err != nil {
		return v, err
	}
	v.settings = c.SettingsVersion
	groups, err := tx.Groups(s.id)
	if err != nil {
		return v, err
	}
	for _, g := range groups {
		v.groups[g.ID] = g.Name
	}
	policies, err := tx.AllPolicies(s.id)
	for _, p := range policies {
		v.policies[p.ID] = p.Name
	}
	return v, err
}

func (v viewer) device(d store.Device) Device {
	out := Device{ID: d.ID, Name: d.Name, Hostname: d.Hostname, Managed: d.Code == "" && d.Account == "", Account: d.Account, AccountName: v.users[d.Account], Version: d.AgentVersion, EnrolledAt: d.EnrolledAt,
		LastSeenAt: d.LastSeenAt, ClockSkew: d.ClockSkew, RevokedAt: d.RevokedAt, LeftAt: d.LeftAt, LogBrokenAt: d.LogBrokenAt}
	if name, ok := v.groups[d.Group]; ok {
		out.Group, out.GroupID = name, d.Group
	}
	if d.Policy != "" {
		out.Policy = &Given{d.Policy, v.policies[d.Policy], d.PolicyVersion, d.PolicySince}
	}
	if out.Managed && d.Reach.State != "" {
		out.Reach = &Reach{State: d.Reach.State, At: d.Reach.At.UTC(), Window: d.Reach.Window, Dialog: d.Reach.Dialog, StartFile: d.Reach.StartFile, StartLine: d.Reach.StartLine}
	}
	out.Waits = d.Code == "" && d.RevokedAt.IsZero() && d.SettingsVersion != v.settings
	return out
}

// managed refuses what is no computer of the company's, with the reason.
func managed(d store.Device) error {
	switch {
	case d.Code != "":
		return wrongf("%s is the key of one session and no computer of the company's", d.ID)
	case d.Account != "":
		return wrongf("on %s somebody is signed in to their account: it is no computer of the company's", d.ID)
	}
	return nil
}

// deviceFor looks a device up for people.
func (s *Service) deviceFor(tx *store.Tx, which string) (store.Device, error) {
	d, err := tx.Device(s.id, strings.TrimSpace(which))
	if errors.Is(err, store.ErrNotFound) { // people type an id in small letters, too
		d, err = tx.Device(s.id, strings.ToUpper(strings.TrimSpace(which)))
	}
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return d, err
	}
	list, err := tx.DevicePage(s.id, store.DeviceQuery{Search: fold(which), Limit: 50})
	if err != nil {
		return d, err
	}
	list = slices.DeleteFunc(list, func(d store.Device) bool { return d.Name != which })
	switch len(list) {
	case 1:
		return list[0], nil
	case 0:
		return d, ErrNoDevice
	}
	return d, wrongf("there are several devices named %q: name one by its id (device list)", which)
}

// RenameDevice changes what a computer is called here; the empty name is the one
// that it gave itself.
func (s *Service) RenameDevice(ctx context.Context, which, name string) error {
	name = cleanName(strings.TrimSpace(name))
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		d, err := s.deviceFor(tx, which)
		if err != nil {
			return err
		}
		return s.nameDevice(tx, d, name, 0)
	})
	if err != nil {
		return fmt.Errorf("rename device: %w", err)
	}
	return nil
}

func (s *Service) nameDevice(tx *store.Tx, d store.Device, name string, undoes int64) error {
	if name == "" {
		name = d.Hostname
	}
	if name == d.Name {
		return nil
	}
	if err := tx.RenameDevice(s.id, d.ID, name, fold(name+" "+d.Hostname)); err != nil {
		return err
	}
	return s.note(tx, entry{ChangeDeviceName, "device-renamed", d.ID, name, d.Name, name, undoes})
}

func (s *Service) undoNamed(tx *store.Tx, c store.Change) error {
	var name string
	if err := json.Unmarshal([]byte(c.Old), &name); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	d, err := tx.Device(s.id, c.Subject)
	if err != nil {
		return err
	}
	if !same(d.Name, c.New) {
		return ErrChangedSince
	}
	return s.nameDevice(tx, d, name, c.Number)
}

// RevokeDevice ends a computer's right to connect and to send, for good: it has
// to be enrolled again. What it sent stays. It is idempotent.
func (s *Service) RevokeDevice(ctx context.Context, which string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		d, err := s.deviceFor(tx, which)
		if err != nil || !d.RevokedAt.IsZero() {
			return err
		}
		now := s.now()
		if err := tx.RevokeDevice(s.id, d.ID, now); err != nil {
			return err
		}
		if err := s.note(tx, entry{ChangeDevice, "device-revoked", d.ID, d.Name, nil, map[string]any{"revoked_at": now.UTC()}, 0}); err != nil {
			return err
		}
		return s.changed(tx) // so that its connection is looked at now
	})
	if err != nil {
		return fmt.Errorf("revoke device: %w", err)
	}
	return nil
}

// foldText takes accents away; what is left is compared in small letters.
func foldText() transform.Transformer {
	return transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)))
}

// fold is a text as it is searched for: small letters without accents.
func fold(s string) string {
	out, _, err := transform.String(foldText(), s)
	if err != nil {
		out = s
	}
	return strings.Join(strings.Fields(strings.ToLower(out)), " ")
}
