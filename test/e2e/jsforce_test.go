//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"aval/summarizer/integration/far"
)

// client does with our Salesforce what a program written for the real one does.
const client = `
// jsforce brings an undici that wants a newer Node than Debian has: the one inside of Node does the same.
const modules = require("module"), load = modules._load;
modules._load = (name, ...more) => name === "undici" ? { fetch: (url, { dispatcher, ...opts }) => fetch(url, opts), Headers, Request, Response, FormData, ProxyAgent: class {}, Agent: class {}, errors: { SocketError: class {} } } : load(name, ...more);
const jsforce = require("jsforce");
(async () => {
  const said = [];
  const conn = new jsforce.Connection({ oauth2: { loginUrl: process.argv[1], clientId: "client", clientSecret: "s3cret" }, version: "66.0" });
  await conn.authorize({ grant_type: "client_credentials" });
  said.push(conn.instanceUrl === process.argv[1]);
  const insights = conn.sobject("Session_Insight__c");
  for (const name of ["First", "Second"]) {
    const r = await insights.upsert({ Aval_Ref__c: "abc", Name: name }, "Aval_Ref__c");
    said.push([r.success, r.created]);
  }
  try { await insights.upsert({ Aval_Ref__c: "abc", Name: "x".repeat(81) }, "Aval_Ref__c"); } catch (e) { said.push(e.errorCode || e.name); }
  try { await conn.request({ method: "DELETE", url: "/services/data/v66.0/sobjects/Session_Insight__c/Aval_Ref__c/none" }); } catch (e) { said.push(e.errorCode || e.name); }
  await conn.request({ method: "DELETE", url: "/services/data/v66.0/sobjects/Session_Insight__c/Aval_Ref__c/abc" });
  console.log(JSON.stringify(said));
})().catch(e => { console.error(e); process.exit(1); });
`

// The Salesforce that our client is tested against is one that a real client of
// Salesforce's gets on with: sign-in, upsert by an External Id that creates and
// then changes, errors by their codes, deletion. Planted and seen: a fake that
// wants the External Id in the body as well says what it did not understand.
func TestFakeSalesforceIsOne(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(cache, "aval-test", "jsforce-3.10.26", "node_modules")
	if _, err := os.Stat(modules); err != nil {
		t.Fatalf("%v; test/deps.sh e2e fetches it", err)
	}
	f := far.New(t, far.Salesforce)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f.Public = &key.PublicKey
	node := exec.CommandContext(t.Context(), "node", "-e", client, f.URL)
	node.Env = append(os.Environ(), "NODE_PATH="+modules)
	var errOut bytes.Buffer
	node.Stderr = &errOut
	out, err := node.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%v", err, errOut.String(), f.Calls)
	}
	var said []any
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	got, _ := json.Marshal(said) // what was just decoded always encodes
	if want := `[true,[true,true],[true,false],"STRING_TOO_LONG","NOT_FOUND"]`; string(got) != want {
		t.Errorf("%s\nwanted %s", got, want)
	}
	if len(f.Records) != 0 || len(f.Failed) != 0 {
		t.Errorf("%v %v", f.Records, f.Failed)
	}
}
