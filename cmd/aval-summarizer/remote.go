package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/strict"
	"aval/summarizer/api/rest"
	v1 "aval/summarizer/api/v1"
)

// remote is a server that a command speaks to by its API, from another computer.
type remote struct {
	server, tokenFile, pin string
}

// remoteFlags adds --server, --token-file and --pin to a command that has --data.
func (a *app) remoteFlags(cmd *cobra.Command) *remote {
	r := &remote{}
	cmd.Flags().StringVar(&r.server, "server", "", "instead of --data: the address of a server elsewhere, https://HOST[:PORT]")
	cmd.Flags().StringVar(&r.tokenFile, "token-file", "", "with --server: the file with an API token (token create --scope)")
	cmd.Flags().StringVar(&r.pin, "pin", "", "with --server: sha256:HEX of the key of a server with a certificate of its own")
	cmd.MarkFlagsMutuallyExclusive("data", "server")
	cmd.MarkFlagsRequiredTogether("server", "token-file")
	return r
}

// client is the API's client; nil where the command works beside the server.
func (r *remote) client() (*v1.ClientWithResponses, error) {
	if r.server == "" {
		return nil, nil
	}
	if err := strict.Server(r.server, r.pin); err != nil {
		return nil, usageError{errors.New("--server is https://HOST[:PORT] in lower case, and --pin sha256: and 64 hex digits")}
	}
	raw, err := os.ReadFile(r.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return nil, fmt.Errorf("read token: %s holds no token", r.tokenFile)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS13}
	if r.pin != "" {
		// The pinned key takes the place of the authorities and of nothing else
		// (crypto/tls, example Config_verifyConnection).
		conf.InsecureSkipVerify = true
		conf.VerifyConnection = func(cs tls.ConnectionState) error {
			leaf := cs.PeerCertificates[0]
			sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
			if r.pin != "sha256:"+hex.EncodeToString(sum[:]) {
				return errors.New("the server's key is not the one of --pin")
			}
			roots := x509.NewCertPool()
			roots.AddCert(leaf)
			_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: cs.ServerName})
			return err
		}
	}
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return v1.NewClientWithResponses(r.server+rest.Base, v1.WithHTTPClient(c), v1.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("User-Agent", "aval-summarizer/"+version)
		return nil
	}))
}

// answered turns an answer that is no success into an error for people.
func answered(status int, body []byte) error {
	if status/100 == 2 {
		return nil
	}
	var e v1.Error
	if json.Unmarshal(body, &e) != nil || e.ErrorDescription == "" {
		return fmt.Errorf("the server answered %d; is this the address of an Aval server?", status)
	}
	return fmt.Errorf("the server says: %s", strings.TrimSuffix(e.ErrorDescription, "."))
}

// reached makes an error of the connection one for people.
func reached(err error) error {
	var unknown *tls.CertificateVerificationError
	if errors.As(err, &unknown) {
		return fmt.Errorf("the server's certificate is not trusted (%w); where it is the server's own, give its key with --pin", unknown.Err)
	}
	return fmt.Errorf("speak to the server: %w", err)
}

// maybe is an optional parameter: left out where it is empty.
func maybe(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
