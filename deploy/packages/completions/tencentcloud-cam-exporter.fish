# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_tencentcloud_cam_exporter_global_optspecs
    string join \n config.file= shard= total-shards= config.optional web.listen-address= web.systemd-socket web.telemetry-path= web.max-requests= metric-allowlist= metric-denylist= web.config.file= web.enable-lifecycle probe.listen-address= log.level= log.format= h/help V/version
end

function __fish_tencentcloud_cam_exporter_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_tencentcloud_cam_exporter_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_tencentcloud_cam_exporter_using_subcommand
    set -l cmd (__fish_tencentcloud_cam_exporter_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l config.file -d 'Path to the configuration file; environment variables CAM_EXPORTER__... override it [default: config.yaml]' -r -F
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l shard -d 'Zero-based ordinal of this shard' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l total-shards -d 'Total number of shards; poll.shard_by says what is divided among them' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l web.listen-address -d 'Address on which to expose metrics and the status page; repeatable' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l web.telemetry-path -d 'Path under which to expose metrics' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l web.max-requests -d 'Maximum number of parallel scrapes; at the limit, the slowest reader is closed or the request gets 503. 0 disables the limit' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l metric-allowlist -d 'Expose only these families of metrics. In a name, * stands for any characters. Comma-separated' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l metric-denylist -d 'Do not expose these families of metrics. In a name, * stands for any characters. Comma-separated' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l web.config.file -d 'Path to a configuration file that enables TLS or authentication; see docs/web-configuration.md' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l probe.listen-address -d 'Additional plain-HTTP address that serves only /-/healthy and /-/ready' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l log.level -d 'Only log messages with the given severity or above' -r -f -a "trace\t''
debug\t''
info\t''
warn\t''
error\t''"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l log.format -d 'Output format of log messages' -r -f -a "logfmt\t''
json\t''"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l config.optional -d 'Start even if the configuration is missing or invalid, and poll once it is valid'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l web.systemd-socket -d 'Listen on the sockets that a systemd socket unit passes, instead of on --web.listen-address'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -l web.enable-lifecycle -d 'Enable reloading by POST to /-/reload'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -s h -l help -d 'Print help'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -s V -l version -d 'Print version'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -f -a "demo" -d 'Run the exporter against an embedded simulator of Tencent Cloud; needs no account'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -f -a "check-config" -d 'Validate the configuration and report every error'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -f -a "list" -d 'Poll every user once and list the access keys, the worst first'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -f -a "healthcheck" -d 'Check that a running exporter is healthy or ready, for images without curl'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l web.listen-address -d 'Address on which to expose metrics and the status page; repeatable' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l web.telemetry-path -d 'Path under which to expose metrics' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l web.max-requests -d 'Maximum number of parallel scrapes; at the limit, the slowest reader is closed or the request gets 503. 0 disables the limit' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l metric-allowlist -d 'Expose only these families of metrics. In a name, * stands for any characters. Comma-separated' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l metric-denylist -d 'Do not expose these families of metrics. In a name, * stands for any characters. Comma-separated' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l web.config.file -d 'Path to a configuration file that enables TLS or authentication; see docs/web-configuration.md' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l probe.listen-address -d 'Additional plain-HTTP address that serves only /-/healthy and /-/ready' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l log.level -d 'Only log messages with the given severity or above' -r -f -a "trace\t''
debug\t''
info\t''
warn\t''
error\t''"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l log.format -d 'Output format of log messages' -r -f -a "logfmt\t''
json\t''"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l web.systemd-socket -d 'Listen on the sockets that a systemd socket unit passes, instead of on --web.listen-address'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -l web.enable-lifecycle -d 'Enable reloading by POST to /-/reload'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand demo" -s h -l help -d 'Print help'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand check-config" -l config.file -d 'Path to the configuration file; environment variables CAM_EXPORTER__... override it [default: config.yaml]' -r -F
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand check-config" -l shard -d 'Zero-based ordinal of this shard' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand check-config" -l total-shards -d 'Total number of shards; poll.shard_by says what is divided among them' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand check-config" -l web.config.file -d 'Path to a configuration file that enables TLS or authentication; see docs/web-configuration.md' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand check-config" -l connect -d 'Also ask each account\'s API for the keys of one user, to check its credential and permissions'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l config.file -d 'Path to the configuration file; environment variables CAM_EXPORTER__... override it [default: config.yaml]' -r -F
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l shard -d 'Zero-based ordinal of this shard' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l total-shards -d 'Total number of shards; poll.shard_by says what is divided among them' -r
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l output -d 'Output format' -r -f -a "table\t'For people: the worst first'
json\t'For programs; docs/list.md describes it'
csv\t'For spreadsheets; docs/list.md describes it'
metrics\t'Prometheus\'s text format, for the textfile collector of its `node_exporter`'"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l output-file -d 'File to write instead of standard output; it is replaced only if nothing failed' -r -F
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l sort -d 'Order of the keys' -r -f -a "worst\t'The gravest finding first'
age\t'The oldest first'
last-used\t'The longest unused first'
account\t'By account'
user\t'By the user\'s UIN'
name\t'By the user\'s name'
key\t'By the key\'s id'"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l only -d 'Which keys to list; all by default. Failures are always listed' -r -f -a "findings\t'Keys with findings'"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l fail-on -d 'Findings for which the exit code is 1, separated by commas' -r -f -a "stale\t'A key older than `keys.max_age`'
very-stale\t'A key older than twice `keys.max_age`'
over-limit\t'A user with more keys than `keys.limit`'
unused\t'A key that has not been used for `keys.unused_after`'
auto-disable-soon\t'A key that Tencent Cloud will disable within 15 days, as it is not used'
rotation-unfinished\t'An old key that is still active a while after the new one was made: `keys.rotation_grace`'
console-login\t'A key of a user who may log in to the console'"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l log.format -d 'Output format of log messages' -r -f -a "logfmt\t''
json\t''"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l log.level -d 'Only log messages with the given severity or above' -r -f -a "trace\t''
debug\t''
info\t''
warn\t''
error\t''"
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l demo -d 'List the account of an embedded simulator instead; needs no account'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -l allow-incomplete -d 'Replace the output file even if something failed and keys are missing'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand healthcheck" -s h -l help -d 'Print help'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand help; and not __fish_seen_subcommand_from demo check-config list healthcheck help" -f -a "demo" -d 'Run the exporter against an embedded simulator of Tencent Cloud; needs no account'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand help; and not __fish_seen_subcommand_from demo check-config list healthcheck help" -f -a "check-config" -d 'Validate the configuration and report every error'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand help; and not __fish_seen_subcommand_from demo check-config list healthcheck help" -f -a "list" -d 'Poll every user once and list the access keys, the worst first'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand help; and not __fish_seen_subcommand_from demo check-config list healthcheck help" -f -a "healthcheck" -d 'Check that a running exporter is healthy or ready, for images without curl'
complete -c tencentcloud-cam-exporter -n "__fish_tencentcloud_cam_exporter_using_subcommand help; and not __fish_seen_subcommand_from demo check-config list healthcheck help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
