package linger

import (
	"net/http"
	"testing"
)

func TestReasonsAreThoseOfNetHTTP(t *testing.T) {
	for status := range 1000 {
		if got, want := Reason(status), http.StatusText(status); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}
