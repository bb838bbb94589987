package source

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/windows/registry"

	"aval/agent/policy"
)

// Limits of what is read of the registry.
const (
	maxRegistryDepth = 3 // Aval, Recommended, a list
	maxRegistryNames = 1000
)

// defaultOrigin is the place that is named where nothing could be read.
func defaultOrigin(Options) string { return policy.FromRegistry + `:HKLM\` + policy.RegistryKey }

// read reads the policy of device management: on Windows it lies in the registry,
// below a key that only administrators can write, and never in a folder.
func (o Options) read() ([]file, []policy.Problem, error) {
	t, err := readRegistry(registry.LOCAL_MACHINE, policy.RegistryKey, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	files, problems := registryFiles(`HKLM\`+policy.RegistryKey, t)
	return files, problems, nil
}

// readRegistry reads a key with all below it.
func readRegistry(root registry.Key, path string, depth int) (registryTree, error) {
	none := registryTree{}
	if depth > maxRegistryDepth {
		return none, fmt.Errorf("%s is nested too deeply", path)
	}
	k, err := registry.OpenKey(root, path, registry.QUERY_VALUE|registry.ENUMERATE_SUB_KEYS|registry.WOW64_64KEY)
	if err != nil {
		return none, fmt.Errorf("open %s: %w", path, err)
	}
	defer k.Close()
	t := registryTree{Keys: map[string]registryTree{}}
	values, err := k.ReadValueNames(-1)
	if err != nil {
		return none, fmt.Errorf("list %s: %w", path, err)
	}
	keys, err := k.ReadSubKeyNames(-1)
	if err != nil {
		return none, fmt.Errorf("list %s: %w", path, err)
	}
	if len(values)+len(keys) > maxRegistryNames {
		return none, fmt.Errorf("%s holds more than %d names", path, maxRegistryNames)
	}
	for _, name := range values {
		v, err := readRegistryValue(k, name)
		if err != nil {
			return none, fmt.Errorf("read %s: %w", path, err)
		}
		t.Values = append(t.Values, v)
	}
	for _, name := range keys {
		if t.Keys[name], err = readRegistry(k, name, depth+1); err != nil {
			return none, err
		}
	}
	return t, nil
}

func readRegistryValue(k registry.Key, name string) (registryValue, error) {
	_, typ, err := k.GetValue(name, nil)
	if err != nil {
		return registryValue{}, err
	}
	v := registryValue{Name: name}
	switch typ {
	case registry.SZ:
		s, _, err := k.GetStringValue(name)
		if err != nil {
			return v, err
		}
		v.Text = &s
	case registry.DWORD:
		n, _, err := k.GetIntegerValue(name)
		if err != nil {
			return v, err
		}
		d := uint32(n)
		v.Number = &d
	default:
		v.Other = fmt.Sprintf("%d", typ)
	}
	return v, nil
}
