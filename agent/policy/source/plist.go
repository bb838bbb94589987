package source

import (
	"encoding/json"
	"fmt"

	"aval/agent/plist"
	"aval/agent/policy"
)

// preferenceFiles are the two policy files that a plist of managed preferences
// stands for: its values are enforced, those in its dictionary Recommended are
// not. What macOS adds about the profile itself is left out.
func preferenceFiles(place string, raw []byte) ([]file, error) {
	all, err := decodePlist(raw)
	if err != nil {
		return nil, fmt.Errorf("%s %w", place, err)
	}
	enforced, others := map[string]any{}, map[string]any{}
	for k, v := range all {
		switch {
		case k == policy.Recommended:
			dict, ok := v.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%s: %s is no dictionary", place, k)
			}
			others = dict
		case !profileKey(k):
			enforced[k] = v
		}
	}
	return jsonFiles(policy.FromPreferences, place, enforced, others)
}

// profileKey tells whether a key says something of the profile that brought the
// preferences ("Device Management: Profile-specific payload keys").
func profileKey(k string) bool {
	switch k {
	case "PayloadType", "PayloadVersion", "PayloadIdentifier", "PayloadUUID", "PayloadDisplayName", "PayloadDescription",
		"PayloadOrganization", "PayloadEnabled", "PayloadScope":
		return true
	}
	return false
}

// jsonFiles writes values that device management keeps elsewhere as the policy
// files that they stand for, so that one parser judges them all and the last good
// ones are kept in one form. Without a value there is no file.
func jsonFiles(from, place string, enforced, others map[string]any) ([]file, error) {
	var out []file
	for _, part := range []struct {
		values   map[string]any
		enforced bool
		name     string
	}{{enforced, true, place}, {others, false, place + " " + policy.Recommended}} {
		if len(part.values) == 0 {
			continue
		}
		raw, err := json.Marshal(part.values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		out = append(out, file{Name: part.name, Raw: raw, From: from, Enforced: part.enforced})
	}
	return out, nil
}

// decodePlist reads a property list: a dictionary of texts, whole numbers, truths,
// arrays and dictionaries.
func decodePlist(raw []byte) (map[string]any, error) {
	if len(raw) > policy.MaxFile {
		return nil, fmt.Errorf("is larger than %d bytes", policy.MaxFile)
	}
	v, err := plist.Decode(raw, plist.Plain)
	if err != nil {
		return nil, err
	}
	dict, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: it is no dictionary", plist.ErrFormat)
	}
	return dict, nil
}
