package far

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"linger/fault"
	"linger/rig/host"
	"linger/whole"
)

// TrustVariables name, for common programs, a file of the authorities that they trust. All but
// NODE_EXTRA_CA_CERTS take the place of what a program trusts otherwise. docs/lab.md says
// which program reads which.
var TrustVariables = []string{
	"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
	"PIP_CERT", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE", "DENO_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
}

// A Trust is the authority of a lab's origins, in files that programs of the lab find by their
// environment.
type Trust struct {
	file     string   // of the authority alone, in the folder
	folder   string   // of what goes with the lab
	settings []string // "NAME=file"
}

// NewTrust writes the authorities' certificates, in PEM, to a file that goes with the lab, and to
// the one that is named, if any. A variable that the user has set then names a file with what it
// named and the authorities behind it.
func NewTrust(authorities []byte, file string, env func(string) string) (t Trust, err error) {
	if t.folder, err = os.MkdirTemp("", "linger-authority-"); err == nil {
		// Programs that become another user read it too.
		err = os.Chmod(t.folder, 0o755)
	}
	if err != nil {
		return t, fault.Machine("the lab's authority has nowhere to be: %w; name another folder in TMPDIR", err)
	}
	t.file = filepath.Join(t.folder, "authority.pem")
	if err := os.WriteFile(t.file, authorities, 0o644); err != nil {
		return t, fault.Machine("the lab's authority: %w; name another folder in TMPDIR", err)
	}
	if file != "" {
		err := whole.Write(file, whole.Create, func(to io.Writer) error {
			_, err := to.Write(authorities)
			return err
		})
		if err != nil {
			return t, fault.Machine("--authority: %w; choose a place that can be written", err)
		}
	}
	joined := map[string]string{"": t.file}
	for _, name := range TrustVariables {
		had := env(name)
		if joined[had] == "" {
			theirs, err := os.ReadFile(had)
			if err != nil {
				continue // no file that a program could have read; it stays
			}
			joined[had] = filepath.Join(t.folder, fmt.Sprintf("joined-%d.pem", len(joined)))
			if err := os.WriteFile(joined[had], append(append(theirs, '\n'), authorities...), 0o644); err != nil {
				return t, fault.Machine("the lab's authority: %w; name another folder in TMPDIR", err)
			}
		}
		t.settings = append(t.settings, name+"="+joined[had])
	}
	return t, nil
}

// Settings name the files, as "NAME=file", for the environment of a program.
func (t Trust) Settings() []string { return t.settings }

// Note says which programs find the authority, and what the others need.
func (t Trust) Note() string {
	return fmt.Sprintf("curl, Go, Python, Node, Ruby, git and the like trust https://%s/; for others use --authority FILE (docs/lab.md)", host.Origin)
}

// Discard takes away what goes with the lab.
func (t Trust) Discard() {
	if t.folder != "" {
		os.RemoveAll(t.folder)
	}
}
