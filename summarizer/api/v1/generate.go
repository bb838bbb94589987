// Package v1 is the public API's types, client and server, generated from
// summarizer/api/openapi.yaml.
//
// The one rule that must not be broken: nothing here is changed by hand; the
// document is, and then `go generate ./summarizer/api/v1`.
package v1

//go:generate go tool oapi-codegen -config generate.yaml ../openapi.yaml
