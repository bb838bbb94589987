package agent

// DefaultPolicyDir stands for the registry, where the policy lies on Windows.
const DefaultPolicyDir = `HKLM\SOFTWARE\Policies\Aval`
