package source

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"aval/agent/policy"
)

// registryTree is a key of the registry as it was read. It knows no Windows, so
// that what it means can be tested everywhere.
type registryTree struct {
	Values []registryValue
	Keys   map[string]registryTree
}

// registryValue is one value: a text (REG_SZ), a number (REG_DWORD), or of a type
// that no key has, whose name stands in Other.
type registryValue struct {
	Name   string
	Text   *string
	Number *uint32
	Other  string
}

// registryFiles are the two policy files that HKLM\SOFTWARE\Policies\Aval stands
// for: its values are enforced, those in its sub-key Recommended are not. A list
// is a sub-key of its name with texts named 1, 2, 3, as administrative templates
// write it. All that has no place in it is listed.
func registryFiles(place string, t registryTree) ([]file, []policy.Problem) {
	var problems []policy.Problem
	enforced := registryValues(place, t, &problems, true)
	others := registryValues(place+`\`+policy.Recommended, t.Keys[policy.Recommended], &problems, false)
	files, err := jsonFiles(policy.FromRegistry, place, enforced, others)
	if err != nil {
		problems = append(problems, policy.Problem{File: place, Wrong: err.Error()})
	}
	return files, problems
}

// registryValues turns one key of the registry into values as JSON has them.
func registryValues(place string, t registryTree, problems *[]policy.Problem, recommended bool) map[string]any {
	wrong := func(key, what, allowed string) {
		*problems = append(*problems, policy.Problem{File: place, Key: key, Wrong: what, Allowed: allowed})
	}
	out := map[string]any{}
	for _, v := range t.Values {
		switch {
		case v.Name == "":
			wrong("(Default)", "is set", "named values alone")
		case v.Text != nil:
			out[v.Name] = *v.Text
		case v.Number != nil:
			out[v.Name] = *v.Number
		default:
			wrong(v.Name, "is of type "+v.Other, "REG_SZ, REG_DWORD, or a sub-key for a list")
		}
	}
	for name, sub := range t.Keys {
		if recommended && name == policy.Recommended {
			continue
		}
		if _, both := out[name]; both {
			wrong(name, "is a value and a sub-key", "one of them")
			continue
		}
		if len(sub.Keys) > 0 {
			wrong(name, "is a list with a sub-key in it", "texts named 1, 2, 3")
			continue
		}
		out[name] = registryList(name, sub, wrong)
	}
	return out
}

// registryList is a list in the order of its values' names.
func registryList(name string, t registryTree, wrong func(key, what, allowed string)) []string {
	type entry struct {
		at   int
		text string
	}
	var all []entry
	for _, v := range t.Values {
		at, err := strconv.Atoi(v.Name)
		switch {
		case err != nil || at < 1 || strconv.Itoa(at) != v.Name:
			wrong(name, fmt.Sprintf("has an entry named %.60q", v.Name), "entries named 1, 2, 3")
		case v.Text == nil:
			wrong(name, "entry "+v.Name+" is no text", "REG_SZ")
		default:
			all = append(all, entry{at, *v.Text})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	out := make([]string, 0, len(all))
	for _, e := range all {
		out = append(out, strings.ToValidUTF8(e.text, "\ufffd"))
	}
	return out
}
