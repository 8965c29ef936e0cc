package report

import (
	"testing"

	"linger/audit"
)

// Servers that clients name alike, as behind a proxy that hands Host on, are told apart.
func TestAuditOriginsOfOneName(t *testing.T) {
	r := &audit.Result{Origins: []audit.GroupRow{
		{Name: "192.0.2.1:80", Address: "192.0.2.1:80"}, {Name: "192.0.2.1:80", Address: "192.0.2.1:8080"},
		{Name: "shop.example", Address: "192.0.2.9:80"}, {Name: "shop.example", Address: "192.0.2.7:80"}, {Name: "one.example", Address: "192.0.2.7:80"},
	}}
	for i, want := range []string{"192.0.2.1:80", "192.0.2.1:8080", "shop.example 192.0.2.9:80", "shop.example 192.0.2.7:80", "one.example"} {
		if got := AuditOrigins(r, 0, func(c audit.Cause) string { return string(c) }).Rows[i].Cells[0].Text; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
