package link_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
)

// mutations lists values that differ from v in one leaf each, by reflection, so
// that a field added later is tried too.
func mutations(v reflect.Value, path string, try func(path string)) {
	switch v.Kind() {
	case reflect.Struct:
		if tm, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.ValueOf(tm.Add(time.Second)))
			try(path)
			v.Set(reflect.ValueOf(tm))
			return
		}
		for i := range v.NumField() {
			mutations(v.Field(i), path+"."+v.Type().Field(i).Name, try)
		}
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			try(path)
			v.SetZero()
			return
		}
		mutations(v.Elem(), path, try)
	case reflect.Slice:
		old := reflect.ValueOf(v.Interface())
		v.Set(reflect.Append(old, reflect.New(v.Type().Elem()).Elem()))
		try(path + "[+]")
		v.Set(old)
		if v.Len() > 0 {
			v.Set(old.Slice(0, v.Len()-1))
			try(path + "[-]")
			v.Set(old)
		}
	case reflect.String:
		old := v.String()
		v.SetString(old + "x")
		try(path)
		v.SetString(old)
	case reflect.Bool:
		v.SetBool(!v.Bool())
		try(path)
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
		try(path)
		v.SetInt(v.Int() - 1)
	default:
		panic("mutations: " + v.Kind().String() + " at " + path)
	}
}

// Every field of a grant, changed under the same signature, is refused; so is
// every changed byte of the envelope. Nothing is stored.
func TestMutatedGrants(t *testing.T) {
	s := startServer(t, nil)
	d := enrol(t, s.dir, nil)
	g := d.body("x/1")
	g.Asked = &record.Asked{AskedAt: g.At, ShownAt: g.At, EndedAt: g.At, Rung: "window", Locale: "en", TextHash: "00", Offered: []event.Group{event.Windows}}
	raw := sign(d, record.TypeGrant, g)
	var env record.Envelope
	if err := json.Unmarshal(raw, &env); err != nil {
		t.Fatal(err)
	}
	c := welcome(t, s.addr, d)
	n := 0
	mutations(reflect.ValueOf(&g).Elem(), "grant", func(path string) {
		n++
		e := env
		var err error
		if e.Payload, err = json.Marshal(g); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(e.Payload, env.Payload) {
			t.Errorf("%s: the change changes nothing", path)
			return
		}
		changed, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.code(openFrame(changed)); got != "signature" {
			t.Errorf("%s: %q", path, got)
		}
	})
	mutations(reflect.ValueOf(&env).Elem().FieldByName("PayloadType"), "type", func(path string) {
		changed, _ := json.Marshal(env)
		if got := c.code(openFrame(changed)); got != "signature" && got != "bad-grant" {
			t.Errorf("%s: %q", path, got)
		}
	})
	if n < 50 {
		t.Errorf("only %d fields were tried", n)
	}
	holds(t, s, 0, 0)
	if got := c.code(openFrame(raw)); got != "" {
		t.Errorf("the unchanged one: %q", got)
	}
}

// Grants that are signed rightly and must not be taken all the same.
func TestForeignGrants(t *testing.T) {
	s := startServer(t, nil)
	d, other := enrol(t, s.dir, nil), enrol(t, s.dir, nil)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*record.Grant)) []byte { g := d.body("x/1"); f(&g); return sign(d, record.TypeGrant, g) }
	byStranger, err := record.Sign(stranger, record.TypeGrant, d.body("x/1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		raw  []byte
		want string
	}{
		"a stranger's key":               {byStranger, "unknown-key"},
		"another device's key":           {sign(other, record.TypeGrant, d.body("x/1")), "unknown-key"},
		"another device":                 {change(func(g *record.Grant) { g.Device = other.enr.Device }), "other-device"},
		"another company":                {change(func(g *record.Grant) { g.Company = "c2" }), "other-company"},
		"provenance PX":                  {change(func(g *record.Grant) { g.Provenance = consent.PX }), "bad-grant"},
		"a refusal":                      {change(func(g *record.Grant) { g.Outcome = consent.OutcomeRefused }), "bad-grant"},
		"consent unasked":                {change(func(g *record.Grant) { g.Basis = consent.BasisConsent }), "bad-grant"},
		"no basis":                       {change(func(g *record.Grant) { g.Basis = "" }), "bad-grant"},
		"no group":                       {change(func(g *record.Grant) { g.Groups = nil }), "bad-grant"},
		"an unknown group":               {change(func(g *record.Grant) { g.Groups = []event.Group{"screen"} }), "bad-grant"},
		"longer than 8 h":                {change(func(g *record.Grant) { g.Expires = g.NotBefore.Add(9 * time.Hour) }), "bad-grant"},
		"a session of no tool":           {change(func(g *record.Grant) { g.Session = "x" }), "bad-grant"},
		"a session of control":           {change(func(g *record.Grant) { g.Session = "x/\u202e1" }), "bad-grant"},
		"options never given":            {change(func(g *record.Grant) { g.PolicyVersion = 99 }), "unknown-policy"},
		"a policy that was not assigned": {change(func(g *record.Grant) { g.PolicyOrigin = "server:Offices version 1" }), "unknown-policy"},
		"a policy without a version":     {change(func(g *record.Grant) { g.PolicyOrigin, g.PolicyVersion = "file:/etc/aval, server:Offices version 1", 0 }), "unknown-policy"},
		"of another type":                {sign(d, record.TypeRefusal, d.body("x/1")), "bad-grant"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := welcome(t, s.addr, d).code(openFrame(row.raw)); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
	holds(t, s, 0, 0)
}
