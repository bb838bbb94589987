package store

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// GivenOptions notes on a device what the bundle that was just signed for it says.
func (t *Tx) GivenOptions(company, device, policy string, policyVersion, settingsVersion int64, at time.Time) error {
	n, err := t.exec(`UPDATE devices SET
			policy_since = CASE WHEN policy = $3 AND policy_version = $4 AND policy_since > 0 THEN policy_since ELSE $6 END,
			policy = $3, policy_version = $4, settings_version = $5
		WHERE company = $1 AND id = $2`, company, device, policy, policyVersion, settingsVersion, ns(at))
	return found(n, err)
}

// Reach is what a managed computer said last of whether somebody there could be
// asked.
type Reach struct {
	State string // a word of agent/wire's Reaches; empty: it has said nothing
	At    time.Time
	// Window and Dialog: these could show a question.
	Window, Dialog bool
	// StartLine starts the helper that is missing, in StartFile or, without a file,
	// as a command.
	StartFile, StartLine string
}

// SetReach notes what a device says of it.
func (t *Tx) SetReach(company, device string, r Reach) error {
	n, err := t.exec(`UPDATE devices SET reach = $3, reach_at = $4, reach_window = $5, reach_dialog = $6, reach_file = $7, reach_line = $8
		WHERE company = $1 AND id = $2`, company, device, r.State, ns(r.At), r.Window, r.Dialog, r.StartFile, r.StartLine)
	return found(n, err)
}

// Reaches counts the managed, unrevoked devices of each state.
func (t *Tx) Reaches(company string) (map[string]int, error) {
	out := map[string]int{}
	err := t.each(`SELECT reach, COUNT(*) FROM devices WHERE company = $1 AND code = '' AND account = '' AND revoked_at = 0 GROUP BY reach`, []any{company},
		func(scan func(...any) error) error {
			var state string
			var n int
			err := scan(&state, &n)
			out[state] = n
			return err
		})
	return out, err
}

// RenameDevice changes what a device is called here, and how it is found.
func (t *Tx) RenameDevice(company, id, name, search string) error {
	var enrolled time.Time
	if err := t.one(`UPDATE devices SET name = $3, search = $4 WHERE company = $1 AND id = $2 RETURNING enrolled_at`,
		[]any{company, id, name, search}, stamp{&enrolled}); err != nil {
		return err
	}
	return t.suffix(company, id, search, enrolled)
}

// DeviceKind is what a device is to the company.
type DeviceKind string

// The kinds. Managed and signed-in ones are computers.
const (
	Managed  DeviceKind = "managed"   // enrolled
	SignedIn DeviceKind = "signed-in" // somebody there is signed in to their account
	Single   DeviceKind = "single"    // the key of one session, by a code
)

// kinds are the conditions of the kinds.
var kinds = map[DeviceKind]string{"": "code = ''", Managed: "code = '' AND account = ''", SignedIn: "code = '' AND account <> ''", Single: "code <> ''"}

// DeviceQuery says which devices are wanted.
type DeviceQuery struct {
	// Kind of device; empty: all computers.
	Kind DeviceKind
	// Revoked: those that were revoked instead of those that were not.
	Revoked bool
	// Search is in the name, folded as it is stored; or it is the id.
	Search string
	// Group is a group's id; Ungrouped: those in none.
	Group     string
	Ungrouped bool
	// Policy is the id of the policy that the device was last given.
	Policy string
	// Reach are states of it; none: all of them.
	Reach []string
	// After is the last one of the page before; zero: from the newest on.
	After DeviceCursor
	Limit int
}

// DeviceCursor is a device's place in the list.
type DeviceCursor struct {
	EnrolledAt time.Time
	ID         string
}

// likeEscape has the characters that mean something to LIKE stand for themselves.
var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func anys(list []string) (out []any) {
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// DevicePage lists a company's devices, those enrolled last first.
func (t *Tx) DevicePage(company string, q DeviceQuery) (list []Device, err error) {
	where, args := []string{"company = $1"}, []any{company}
	add := func(cond string, v ...any) {
		for _, a := range v {
			args = append(args, a)
			cond = strings.Replace(cond, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, cond)
	}
	kind, ok := kinds[q.Kind]
	if !ok {
		return nil, fmt.Errorf("list devices: %q is no kind of them", q.Kind)
	}
	where = append(where, kind)
	if q.Revoked {
		where = append(where, "revoked_at > 0")
	} else {
		where = append(where, "revoked_at = 0")
	}
	var few []DeviceCursor
	found := false
	if q.Search != "" {
		if q.Kind != Single {
			if few, found, err = t.bySuffix(company, q.Search); err != nil {
				return nil, err
			}
		}
		add(`(search LIKE ? ESCAPE '\' OR id = ? OR id = ?)`, "%"+likeEscape.Replace(q.Search)+"%", q.Search, strings.ToUpper(q.Search))
	}
	if q.Group != "" {
		add("device_group = ?", q.Group)
	}
	if q.Ungrouped {
		where = append(where, `NOT EXISTS (SELECT 1 FROM device_groups g WHERE g.company = devices.company AND g.id = devices.device_group AND g.deleted_at = 0)`)
	}
	if q.Policy != "" {
		add("policy = ?", q.Policy)
	}
	if len(q.Reach) > 0 {
		add("reach IN (?"+strings.Repeat(", ?", len(q.Reach)-1)+")", anys(q.Reach)...)
	}
	if q.After.ID != "" {
		at := ns(q.After.EnrolledAt)
		add("(enrolled_at < ? OR enrolled_at = ? AND id < ?)", at, at, q.After.ID)
	}
	if !found {
		return t.devicesWhere(where, args, q.Limit)
	}
	if q.After.ID != "" {
		few = few[sort.Search(len(few), func(i int) bool { return few[i].compare(q.After) > 0 }):]
	}
	// Not by an index over companies: without statistics the embedded database takes
	// one for better than the ids, and walks through all devices.
	where[0] = "company || '' = $1"
	for chunk := range slices.Chunk(few, max(2*q.Limit, 100)) {
		ids, with := make([]string, len(chunk)), slices.Clone(args)
		for i, c := range chunk {
			with = append(with, c.ID)
			ids[i] = fmt.Sprintf("$%d", len(with))
		}
		part, err := t.devicesWhere(append(slices.Clone(where), "id IN ("+strings.Join(ids, ", ")+")"), with, q.Limit-len(list))
		if err != nil {
			return nil, err
		}
		if list = append(list, part...); len(list) >= q.Limit {
			break
		}
	}
	return list, nil
}

// devicesWhere is the part of the list for which all conditions hold.
func (t *Tx) devicesWhere(where []string, args []any, limit int) (list []Device, err error) {
	args = append(args, limit)
	query := fmt.Sprintf("%s WHERE %s ORDER BY enrolled_at DESC, id DESC LIMIT $%d", deviceColumns, strings.Join(where, " AND "), len(args))
	err = t.each(query, args, func(scan func(...any) error) error {
		var d Device
		if err := scan(d.into()...); err != nil {
			return err
		}
		list = append(list, d)
		return nil
	})
	return list, err
}

// PolicyReach counts the managed, unrevoked devices that were last given a policy.
func (t *Tx) PolicyReach(company, policy string) (n int, err error) {
	err = t.one(`SELECT COUNT(*) FROM devices WHERE company = $1 AND policy = $2 AND code = '' AND account = '' AND revoked_at = 0`, []any{company, policy}, &n)
	return n, err
}

// LastSession is when the last session of a device that was recorded began;
// zero: none was.
func (t *Tx) LastSession(company, device string) (at time.Time, err error) {
	err = t.one(`SELECT COALESCE(MAX(started_at), 0) FROM streams WHERE company = $1 AND device = $2`, []any{company, device}, stamp{&at})
	return at, err
}
