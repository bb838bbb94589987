package api

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// Root is below which the API, its document and the document's page are.
const Root = "/api/"

// YAML is the OpenAPI document of the public API, as it is served. Its
// x-permission is the permission (summarizer/company) that an operation needs.
//
//go:embed openapi.yaml
var YAML []byte

// Document is YAML, read.
var Document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(YAML)
	if err != nil {
		return nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	return doc, nil
})
