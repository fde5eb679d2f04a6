// The Dex of the nightly tests: `.ci/services nightly` builds what is named here, and anew when go.sum changes.
// Go cannot name Dex's releases (v2 without /v2 in its path), so this is a commit, of August 2024. Renew go.sum, here, with:
// rm go.sum && CGO_ENABLED=1 go list -mod=mod -deps github.com/dexidp/dex/cmd/dex
module identityd.example/tests/dex

go 1.21

require github.com/dexidp/dex v0.0.0-20240807174518-43956db7fd75

require github.com/dexidp/dex/api/v2 v2.2.0
