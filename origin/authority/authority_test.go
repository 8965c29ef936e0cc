package authority

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAuthority(t *testing.T) {
	authority := must(New(time.Now()))
	now := time.Now()
	cert := must(authority.Certificate("localhost", "example.test", "127.0.0.1", "::1"))
	var size int
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority.PEM()) {
		t.Fatal("the root is no PEM")
	}
	between := x509.NewCertPool()
	for i, der := range cert.Certificate {
		size += len(der)
		if i > 0 {
			between.AddCert(must(x509.ParseCertificate(der)))
		}
	}
	t.Logf("leaf %d bytes, intermediate %d", len(cert.Certificate[0]), len(cert.Certificate[1]))
	if len(cert.Certificate) != 2 || size < 2500 || size > 2900 {
		t.Errorf("%d certificates with %d bytes; the documentation says 2 with about 2,700", len(cert.Certificate), size)
	}
	for _, name := range []string{"localhost", "example.test", "127.0.0.1", "::1"} {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, Intermediates: between, CurrentTime: now}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, other := range []string{"localhost.test", "127.0.0.2"} {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: other, Roots: pool, Intermediates: between}); err == nil {
			t.Errorf("%s is in the certificate", other)
		}
	}

	// One of a year ago: the root is good, the leaf is not.
	old := must(New(now.AddDate(-1, 0, 0)))
	expired := must(old.Certificate("localhost"))
	between.AddCert(must(x509.ParseCertificate(expired.Certificate[1])))
	_, err := expired.Leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: old.Pool(), Intermediates: between})
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); !ok || e.Reason != x509.Expired || e.Cert != expired.Leaf {
		t.Errorf("expired: %v", err)
	}
	_, err = expired.Leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: pool, Intermediates: between, CurrentTime: now.AddDate(-1, 0, 1)})
	if !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("foreign: %v", err)
	}

	for _, names := range [][]string{nil, {""}, {"a b"}, {"a:1"}, {"[::1]"}, {"ö"}} {
		if _, err := authority.Certificate(names...); err == nil {
			t.Errorf("a certificate for %q", names)
		}
	}
}

func TestLoad(t *testing.T) {
	authority := must(New(time.Now()))
	dir := t.TempDir()
	write := func(name, kind string, ders ...[]byte) string {
		var b bytes.Buffer
		for _, der := range ders {
			must(0, pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}))
		}
		path := filepath.Join(dir, name)
		must(0, os.WriteFile(path, b.Bytes(), 0o600))
		return path
	}
	cert := must(authority.Certificate("localhost"))
	chain := write("chain", "CERTIFICATE", cert.Certificate...)
	key := write("key", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(cert.PrivateKey)))
	other := must(authority.Certificate("localhost"))
	otherKey := write("other", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(other.PrivateKey)))
	empty := write("empty", "")
	now := time.Now()
	if got, err := Load(chain, key, now); err != nil || len(got.Certificate) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	for _, test := range []struct {
		chain, key string
		now        time.Time
		want       string
	}{
		{filepath.Join(dir, "none"), key, now, "the certificate cannot be read: open "},
		{chain, filepath.Join(dir, "none"), now, "the certificate's key cannot be read: open "},
		{empty, key, now, "are no certificate with its key: tls: failed to find"},
		{chain, otherKey, now, "private key does not match public key; give both as PEM, the leaf first"},
		{key, chain, now, "are no certificate with its key"},
		{chain, key, now.AddDate(1, 0, 0), "has expired on "},
		{chain, key, now.AddDate(-1, 0, 0), "is valid from "},
	} {
		if _, err := Load(test.chain, test.key, test.now); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
