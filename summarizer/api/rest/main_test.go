package rest_test

import (
	"os"
	"testing"

	"aval/summarizer/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }
