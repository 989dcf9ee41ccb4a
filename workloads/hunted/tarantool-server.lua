-- A replica of a cluster whose first node is the master: tarantool-server.lua NUMBER IP PORT DATA IP:PORT,IP:PORT,…
local number, ip, port, data = tonumber(arg[1]), arg[2], arg[3], arg[4]
box.cfg {
    listen = ip .. ':' .. port,
    work_dir = data,
    read_only = number ~= 1,
    replication = arg[5]:split(','),
    replication_connect_quorum = number == 1 and 1 or 2,
    replication_connect_timeout = 10,
    replication_timeout = 0.3,
    replication_synchro_quorum = 2,
    replication_synchro_timeout = 2,
    wal_mode = 'fsync',
}
if number == 1 then
    box.schema.user.grant('guest', 'super', nil, nil, {if_not_exists = true})
    local items = box.schema.space.create('items', {if_not_exists = true, is_sync = true})
    items:create_index('pk', {parts = {{1, 'unsigned'}}, if_not_exists = true})
end
