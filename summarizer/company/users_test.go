package company_test

import (
	"strings"
	"testing"

	"aval/agent/wire"
	"aval/summarizer/company"
)

// What computers send before anything is known of them is read strictly.
func FuzzDecodeRedeem(f *testing.F) {
	f.Add([]byte(`{"code":"7K3M-Q9TD","public_key":"` + strings.Repeat("A", 43) + `=","agent_version":"1","proof":"` + strings.Repeat("A", 86) + `=="}`))
	f.Add([]byte(`{"code":"7k3m-q9td"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := company.DecodeRedeem(raw)
		if err != nil {
			return
		}
		if code, err := wire.ParseSecret(r.Code); err != nil || code != r.Code || len(r.PublicKey) != 32 || len(r.Proof) != 64 {
			t.Fatalf("%+v", r)
		}
	})
}
